"""What a user can write after --model, and what is said when it is wrong."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pytest

from merbench.errors import MerbenchError
from merbench.models._load import load_model
from merbench.models._validate import check_output

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
from dataclasses import dataclass
import numpy as np
from merbench.models import Adapter
from merbench.options import option
"""

MODEL = """
@dataclass
class Sad(Adapter):
    labels = ("happy", "sad")
    bias: float = option(1.0, "how sad")
    def predict(self, batch):
        return np.tile([0.0, self.bias], (len(batch), 1))
    def fingerprint(self):
        return str(self.bias)
"""


@pytest.fixture
def write(tmp_path):
    def write_file(body: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_text(HEAD + textwrap.dedent(body), encoding="utf-8")
        return path

    return write_file


def refused(spec: str, match: str) -> None:
    with pytest.raises(MerbenchError, match=match) as error:
        load_model(spec)
    assert "\n" not in str(error.value)


def test_a_class_in_a_file(write):
    adapter = load_model(f"{write(MODEL)}:Sad")
    assert adapter.name == "mine.py:Sad"
    assert adapter.labels == ("happy", "sad")


def test_a_checkpoint_folder_may_name_a_class_in_a_file_from_where_it_lies(write, tmp_path):
    source = MODEL.replace("    bias:", '    folder: str = option("", "where it lies")\n    bias:')
    write(source)
    folder = tmp_path / "runs" / "trained"
    folder.mkdir(parents=True)
    record = folder / "checkpoint.json"
    record.write_text('{"model": "../../mine.py:Sad"}', encoding="utf-8")
    adapter = load_model(f"{folder}:bias=3")
    assert (adapter.name, adapter.folder, adapter.bias) == ("mine.py:Sad", str(folder), 3.0)
    record.write_text('{"model": "mine.py:Sad"}', encoding="utf-8")
    refused(str(folder), "checkpoint.json names the model mine.py, and .*trained/mine.py is not there")


def test_a_class_in_a_file_takes_options(write):
    assert load_model(f"{write(MODEL)}:Sad:bias=2.5").bias == 2.5


def test_a_file_can_import_the_files_beside_it(write):
    write("WORD = 'sad'", name="beside_the_model.py")
    path = write("from beside_the_model import WORD\n" + textwrap.dedent(MODEL).replace('"sad"', "WORD"))
    assert load_model(f"{path}:Sad").labels == ("happy", "sad")


def test_the_fingerprint_changes_with_an_option_and_with_the_source(write):
    path = write(MODEL)
    prints = [load_model(f"{path}:Sad{o}").fingerprint() for o in ("", ":bias=2")]
    write(MODEL.replace("[0.0, self.bias]", "[self.bias, 0.0]"))
    prints.append(load_model(f"{path}:Sad").fingerprint())
    assert None not in prints
    assert len(set(prints)) == 3


def test_the_fingerprint_of_a_class_imported_from_elsewhere_is_stable(write):
    write(MODEL, name="elsewhere_model.py")
    path = write("from elsewhere_model import Sad")
    assert load_model(f"{path}:Sad").fingerprint() == load_model(f"{path}:Sad").fingerprint()


def test_a_class_without_fingerprint_has_none(write):
    path = write(MODEL.replace("fingerprint", "something_else"))
    assert load_model(f"{path}:Sad").fingerprint() is None


def test_a_registered_name_in_any_spelling():
    counts = {"train": {"sad": 1}}
    assert load_model("Majority", label_counts=counts).name == "majority"


def test_a_name_that_nobody_registered_suggests_the_nearest():
    refused("majorty", "did you mean majority")


def test_options_of_a_registered_model_are_checked():
    refused("majority:depth=3", "'majority' has no option 'depth'")


def test_a_missing_file():
    refused("nowhere/model.py:Net", "there is no file nowhere/model.py")


def test_a_file_without_a_class(write):
    refused(str(write(MODEL)), r"names a file but no class; write .*mine.py:Class")


def test_a_missing_class_lists_what_is_there(write):
    refused(f"{write(MODEL)}:Happy", "has no class 'Happy'; its adapters are: Sad")


def test_a_class_that_is_no_adapter(write):
    refused(
        f"{write(MODEL + 'class Other: pass')}:Other",
        "it is no merbench.models.Adapter; its adapters are: Sad",
    )


def test_a_file_without_any_adapter(write):
    refused(f"{write('x = 1')}:Sad", "derive a class from merbench.models.Adapter")


def test_a_file_that_cannot_be_imported(write):
    refused(f"{write('import no_such_package_here')}:Sad", "cannot be imported: ModuleNotFoundError")
    refused(f"{write('def broken(:')}:Sad", "cannot be imported: SyntaxError")


def test_a_constructor_that_fails(write):
    body = MODEL + "    def __post_init__(self):\n        raise OSError('no weights')\n"
    refused(f"{write(body)}:Sad", "'mine.py:Sad' cannot be started: OSError: no weights")


def test_a_class_that_does_not_predict(write):
    refused(f"{write(MODEL.replace('predict', 'guess'))}:Sad", "does not implement predict")


def test_an_unknown_option_of_a_class(write):
    refused(f"{write(MODEL)}:Sad:depth=3", "'mine.py:Sad' has no option 'depth'; its options are: bias")


def test_options_for_a_class_that_takes_none(write):
    body = MODEL.replace("@dataclass", "").replace('option(1.0, "how sad")', "1.0")
    refused(f"{write(body)}:Sad:bias=3", "'mine.py:Sad' takes no options")


@pytest.mark.parametrize("labels", ["()", "(1, 2)"])
def test_a_class_without_labels(write, labels):
    body = MODEL.replace('("happy", "sad")', labels)
    refused(f"{write(body)}:Sad", "has no labels")


def test_the_majority_model_needs_the_labels_of_some_data():
    refused("majority", "'majority' has no labels")


LABELS = ("happy", "sad")


def test_logits_come_back_as_numbers_and_texts_as_texts():
    assert check_output([[0, 1]], 1, LABELS).dtype == np.float64
    assert check_output(("happy", "who knows"), 2, LABELS) == ["happy", "who knows"]


@pytest.mark.parametrize(
    ("output", "match"),
    [
        (np.array([[0.0, np.nan]]), "answered NaN for 'sad' in row 0"),
        (np.array([[np.inf, 0.0]]), "answered inf for 'happy' in row 0"),
        (np.zeros((2, 2)), r"shape \[2, 2\], not \[1, 2\]"),
        (np.zeros((1, 3)), r"shape \[1, 3\], not \[1, 2\]"),
        (np.zeros(2), r"shape \[2\], not \[1, 2\]"),
        (["happy", "sad"], "1 rows with 2 texts"),
        (None, "shape|neither logits nor a list of texts"),
        ([{"label": "sad"}], "neither logits nor a list of texts"),
    ],
)
def test_nonsense_is_refused(output, match):
    with pytest.raises(MerbenchError, match=match):
        check_output(output, 1, LABELS)


def test_an_answer_that_is_no_text_is_refused_by_row():
    with pytest.raises(MerbenchError, match="a NoneType instead of a text in row 1"):
        check_output(["happy", None], 2, LABELS)
