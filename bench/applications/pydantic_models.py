"""Validation with pydantic: models made, Python validators called from its Rust core."""

from pydantic import BaseModel, Field, ValidationError, field_validator

from support import main


class Address(BaseModel):
    street: str
    number: int = Field(gt=0)


class Person(BaseModel):
    name: str
    age: int
    addresses: list[Address]

    @field_validator("name")
    @classmethod
    def strip(cls, value: str) -> str:
        value = value.strip()
        if not value:
            raise ValueError("empty")
        return value.title()

    @property
    def label(self) -> str:
        return f"{self.name} ({self.age})"


def make_model(k):
    class Made(BaseModel):
        a: int = k
        b: str = "x"
        c: list[int] = []
    return Made


def run(n):
    """Validate n persons, some bad; a checksum."""
    total = 0
    for i in range(n):
        raw = {"name": f" name{i} ", "age": str(i % 90),
               "addresses": [{"street": "s", "number": k + (i % 17 > 0)} for k in range(3)]}
        try:
            person = Person.model_validate(raw)
            total += len(person.label) + len(person.model_dump_json())
        except ValidationError as error:
            total += len(error.errors())
        if i % 200 == 0:
            total += make_model(i)(b="y").a
    return total


main(run)
