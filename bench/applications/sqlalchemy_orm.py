"""SQLAlchemy's ORM over SQLite: inserts, joins, relations, updates."""

from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from support import main


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship(back_populates="user")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    amount: Mapped[int]
    user: Mapped[User] = relationship(back_populates="orders")


def run(n):
    """n units of work; a sum over what was read."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    total = 0
    for i in range(n):
        with Session(engine) as session:
            user = User(name=f"user{i}", orders=[Order(amount=k * i) for k in range(4)])
            session.add(user)
            session.commit()
            query = (select(User.name, func.sum(Order.amount)).join(Order).where(User.id > i - 10)
                     .group_by(User.name).order_by(User.name))
            total += sum(amount for _, amount in session.execute(query))
            for found in session.scalars(select(User).where(User.id >= i - 3)):
                total += len(found.orders)
                found.name += "x"
            session.commit()
    return total


main(run)
