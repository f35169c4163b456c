"""pytest over made test files: collection, fixtures, parametrisation, assertion rewriting."""

import pathlib
import sys
import tempfile

import pytest

from support import main

TEST = '''
import pytest

@pytest.fixture
def numbers():
    return list(range(10))

@pytest.mark.parametrize("a", range({count}))
@pytest.mark.parametrize("b", [1, 2])
def test_sum(numbers, a, b):
    assert sum(numbers) + a * b == 45 + a * b

class TestThings:
    @pytest.fixture(autouse=True)
    def prepare(self, tmp_path):
        self.path = tmp_path

    def test_raises(self):
        with pytest.raises(ValueError, match="x"):
            raise ValueError("x")

    @pytest.mark.xfail(strict=True)
    def test_fails(self):
        assert [1, 2, 3] == [1, 2, 4]
'''


def run(n):
    """Run n files of tests; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(n):
            pathlib.Path(folder, f"test_{number}.py").write_text(TEST.format(count=20))
        sys.dont_write_bytecode = True
        quiet = ["-q", "-q", "-p", "no:cacheprovider", "--no-summary", "--rootdir", folder, folder]
        sys.stdout.flush()
        return int(pytest.main(quiet))


main(run)
