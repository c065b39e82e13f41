"""Tables as people have them: other column names, no header, stray blanks, several labels, bad bytes."""

from __future__ import annotations

import csv
from collections import Counter

import datasets as huggingface
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merbench.datasets import datasets
from merbench.errors import MerbenchError
from merbench.options import build, split_spec
from merbench.types import MediaSpec
from tests.datasets.miniature import face, table_of_everything, voice

SMALL = MediaSpec(frames=4, frame_size=32)


def open_table(root, spec="table", **options):
    name, written = split_spec(spec)
    return build(datasets[name], name, {**written, **options}, root=root, media=SMALL)


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def texts(dataset):
    return {u.id: dataset.load(u).text for u in dataset.utterances()}


class TestCells:
    def test_a_text_stays_the_text_it_is(self, tmp_path):
        words = ["NA", "null", "NaN", "None", "007", "1.0", "", " padded ", "true", "-", "#N/A", "1e5"]
        path = tmp_path / "t.csv"
        with path.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows(
                [("id", "text", "label"), *((f"{i:02d}", w, "joy") for i, w in enumerate(words))]
            )
        assert list(texts(open_table(path)).values()) == words

    def test_text_is_nfc(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\ncafe\N{COMBINING ACUTE ACCENT},joy\nb,anger\n")
        assert texts(open_table(path))["000000"] == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"

    def test_quoted_cells_may_hold_delimiters_and_line_breaks(self, tmp_path):
        path = write(tmp_path / "t.csv", 'text,label\n"a, ""b""\nc",joy\nd,anger\n')
        assert texts(open_table(path)) == {"000000": 'a, "b"\nc', "000001": "d"}

    def test_a_quotation_mark_in_a_tsv_is_a_character(self, tmp_path):
        path = write(tmp_path / "t.tsv", 'text\tlabel\n"Oh" he said\tjoy\n5" tall\tanger\n')
        assert texts(open_table(path)) == {"000000": '"Oh" he said', "000001": '5" tall'}

    def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\r\na,joy\r\n\r\nb,anger\r\n", "utf-8-sig")
        assert texts(open_table(path)) == {"000000": "a", "000001": "b"}

    def test_blanks_around_names_are_stripped_and_reported(self, tmp_path):
        path = write(tmp_path / "t.csv", "id,text,label,speaker\n a , x ,joy,  S1\nb,y, anger,S1\n")
        dataset = open_table(path)
        first, second = dataset.utterances()
        assert (first.id, first.speaker, second.label) == ("a", "S1", "anger")
        assert dataset.load(first).text == " x "
        found = {f.where: f.what for f in dataset.check().findings}
        assert found["column 'speaker'"] == "1 cells have blanks around them, which are stripped"

    def test_other_columns_travel_along(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label,age,session\na,joy,27,Ses01\nb,anger,30,Ses02\n")
        assert open_table(path).utterances()[0].extra == {"age": "27", "session": "Ses01"}


class TestColumns:
    def test_every_column_can_be_mapped(self, tmp_path):
        path = write(
            tmp_path / "t.csv",
            "key,words,emo,who,talk,part\nk1,a,joy,S1,D1,train\nk2,b,anger,S2,D1,test\n",
        )
        spec = "table:id=key,text=words,label=emo,speaker=who,dialogue=talk,split=part"
        first, _ = open_table(path, spec).utterances()
        assert (first.id, first.label, first.speaker, first.dialogue, first.split) == (
            "k1", "joy", "S1", "D1", "train"
        )  # fmt: skip

    def test_a_table_without_a_header_gets_one(self, tmp_path):
        path = write(tmp_path / "t.tsv", "a\tjoy\tk1\nb\tanger\tk2\n")
        assert texts(open_table(path, "table:header=text+label+id")) == {"k1": "a", "k2": "b"}

    def test_without_an_id_the_media_file_names_the_utterance(self, tmp_path):
        for stem in ("x", "y"):
            voice(tmp_path / "wavs" / f"{stem}.wav", 300)
        path = write(tmp_path / "t.csv", "audio,label\nx.wav,joy\ny.wav,anger\n")
        dataset = open_table(path, "table:media_root=wavs")
        assert [u.id for u in dataset.utterances()] == ["x", "y"]
        assert dataset.load(dataset.utterances()[0]).audio is not None

    def test_the_media_root_is_no_part_of_the_identity(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,joy\nb,anger\n")
        assert "media_root" not in str(open_table(path, media_root=tmp_path).identity())

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("table:text=words", "has no column 'words' for text; map one with table:text=COLUMN"),
            ("table:label=emo", "has no column 'emo' for label"),
            ("table:speaker=who", "has no column 'who' for speaker"),
        ],
    )
    def test_a_column_that_is_not_there_is_refused_with_those_that_are(self, tmp_path, spec, message):
        path = write(tmp_path / "t.csv", "text,label,age\na,joy,3\n")
        with pytest.raises(MerbenchError, match=f"{message}.*the columns are: text, label, age"):
            open_table(path, spec).utterances()

    @pytest.mark.parametrize(
        ("names", "role"),
        [(("a.FLV", "b.mp4"), "video"), (("a.wav", ""), "audio"), (("x/a.png", "x/b.jpg"), "image")],
    )
    def test_a_column_of_media_that_nobody_reads_is_told(self, tmp_path, names, role):
        rows = "".join(f"{name},joy,some words,S1\n" for name in names)
        path = write(tmp_path / "t.csv", f"path,label,text,speaker\n{rows}")
        report = open_table(path).check()
        told = [(f.level, f.where, f.what) for f in report.findings if "not read" in f.what]
        what = f"it holds paths of media and is not read; write table:{role}=path"
        assert told == [("warning", "column 'path'", what)]
        assert report.ok

    def test_words_and_columns_beside_read_media_are_no_media(self, tmp_path):
        voice(tmp_path / "a.wav", 300)
        voice(tmp_path / "b.wav", 400)
        rows = "a.wav,a.raw.wav,see c.mp4,joy\nb.wav,b.raw.wav,nothing,sad\n"
        path = write(tmp_path / "t.csv", f"audio,original,note,label\n{rows}")
        findings = open_table(path).check().findings
        assert not [f for f in findings if "not read" in f.what]

    def test_a_table_without_media_or_text_is_refused(self, tmp_path):
        path = write(tmp_path / "t.csv", "id,label\na,joy\n")
        with pytest.raises(MerbenchError, match="no column of media or transcripts"):
            open_table(path).utterances()

    def test_licence_and_restriction_are_the_users_to_tell(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,joy\n")
        careful, free = open_table(path), open_table(path, licence="CC0", restricted="false")
        assert (careful.card.licence, careful.card.restricted) == ("unknown", True)
        assert (free.card.licence, free.card.restricted) == ("CC0", False)
        assert not open_table(path, text_informative="false").text_informative


class TestLabels:
    def test_without_names_the_table_s_own_are_sorted(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,sad\nb,angry\nc,sad\n")
        assert open_table(path).labels == ("angry", "sad")

    def test_names_fix_the_set_and_its_order(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,sad\nb,angry\n")
        assert open_table(path, "table:label_names=sad+joy+angry").labels == ("sad", "joy", "angry")

    def test_whole_numbers_index_into_the_names(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,2\nb,0\n")
        dataset = open_table(path, "table:label_names=anger+fear+joy")
        assert [u.label for u in dataset.utterances()] == ["joy", "anger"]

    def test_the_names_may_stand_in_a_file_beside_the_table(self, tmp_path):
        write(tmp_path / "labels.txt", "anger\nfear\njoy\n")
        path = write(tmp_path / "t.csv", "text,label\na,2\nb,0\n")
        assert open_table(path, "table:label_names=labels.txt").labels == ("anger", "fear", "joy")

    def test_a_single_name_is_a_file_that_must_be_there(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,2\n")
        with pytest.raises(MerbenchError, match=r"lables\.txt cannot be read: No such file"):
            open_table(path, "table:label_names=lables.txt").utterances()

    def test_an_unknown_label_names_the_row_and_the_value(self, tmp_path):
        path = write(tmp_path / "t.csv", "text,label\na,joy\nb,happiness\n")
        with pytest.raises(MerbenchError, match=r"t\.csv:3: label 'happiness' is not one of joy, anger"):
            open_table(path, "table:label_names=joy+anger").utterances()

    def test_several_labels_are_an_error_unless_such_rows_are_dropped(self, tmp_path):
        path = write(tmp_path / "t.tsv", "text\tlabel\na\t0\nb\t0,1\nc\t1\n")
        names = "table:label_names=joy+anger"
        with pytest.raises(MerbenchError, match=r"t\.tsv:3: '0,1' are several labels.*multi_label=drop"):
            open_table(path, names).utterances()
        dataset = open_table(path, f"{names},multi_label=drop")
        assert [u.id for u in dataset.utterances()] == ["000000", "000002"]
        assert ("1 rows with several labels are dropped", "t.tsv:3") in [
            (f.what, f.where) for f in dataset.check().findings
        ]


class TestBadTables:
    def test_duplicate_ids_name_both_rows(self, tmp_path):
        path = write(tmp_path / "t.csv", "id,text,label\na,x,joy\nb,y,joy\na,z,anger\n")
        with pytest.raises(MerbenchError, match=r"t\.csv:4: id 'a' stands already at t\.csv:2"):
            open_table(path).utterances()

    def test_a_check_lists_every_bad_row(self, tmp_path):
        path = write(tmp_path / "t.csv", "id,text,label\na,x,joy\na,y,joy\n,z,anger\nd,w,\n")
        report = open_table(path).check()
        assert not report.ok
        assert [f.where for f in report.findings if f.level == "error"] == ["t.csv:3", "t.csv:4", "t.csv:5"]
        with pytest.raises(MerbenchError, match=r"2 more errors: 'merbench dataset check' lists them"):
            open_table(path).utterances()

    def test_bytes_that_are_not_utf_8_name_the_line_and_the_byte(self, tmp_path):
        path = write(
            tmp_path / "t.csv", "text,label\na,joy\ncaf\N{LATIN SMALL LETTER E WITH ACUTE},joy\n", "latin-1"
        )
        with pytest.raises(MerbenchError, match=r"t\.csv:3 is not UTF-8: byte 0xe9 at offset 20"):
            open_table(path).utterances()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("text,label\na,joy\nb,c,anger\n", r"t\.csv:3 has 3 cells, and the table has 2 columns"),
            ('text,label\na,joy\n"b,anger\n', r"t\.csv:3 is not CSV"),
            ("text,text,label\na,b,joy\n", "several columns named 'text'"),
            ("", "is empty"),
            ("text,label\n", "no rows that can be used"),
        ],
    )
    def test_malformed_csv(self, tmp_path, content, message):
        with pytest.raises(MerbenchError, match=message):
            open_table(write(tmp_path / "t.csv", content)).utterances()

    @pytest.mark.parametrize("names", [(), ("a.csv", "b.tsv")])
    def test_a_folder_must_hold_exactly_one_table(self, tmp_path, names):
        for name in names:
            write(tmp_path / name, "text,label\na,joy\n")
        with pytest.raises(MerbenchError, match=f"should hold one table .* it holds {len(names)}"):
            open_table(tmp_path).utterances()

    def test_a_missing_media_file_is_found_by_the_check(self, tmp_path):
        voice(tmp_path / "x.wav", 300)
        path = write(tmp_path / "t.csv", "audio,label\nx.wav,joy\ny.wav,anger\n")
        (error,) = [f for f in open_table(path).check().findings if f.level == "error"]
        assert error.where == "y"
        assert "No such file" in error.what

    def test_a_row_without_any_media_is_refused(self, tmp_path):
        path = write(tmp_path / "t.csv", "id,audio,label\na,,joy\n")
        with pytest.raises(MerbenchError, match=r"t\.csv:2: the row names no media"):
            open_table(path).utterances()


class TestMedia:
    def test_each_row_has_what_it_names_and_nothing_else(self, tmp_path):
        root, options = table_of_everything(tmp_path)
        dataset = open_table(root, **options)
        samples = {u.id: dataset.load(u) for u in dataset.utterances()}
        present = {
            i: (s.audio is not None, s.frames is not None, s.text is not None) for i, s in samples.items()
        }
        assert present == {
            "u1": (True, False, True),
            "u2": (True, True, True),  # the sound of the video file
            "u3": (True, True, True),  # a sound file and silent pictures
            "u4": (False, True, True),
            "u5": (False, False, True),
        }
        assert samples["u4"].frames.shape == (1, 32, 32, 3)

    def test_a_sound_file_goes_before_the_sound_of_the_video(self, tmp_path):
        face(tmp_path / "v.mp4", 1)
        voice(tmp_path / "a.wav", 300, rate=16_000, seconds=0.3)
        path = write(tmp_path / "t.csv", "id,audio,video,label\n1,a.wav,v.mp4,joy\n")
        dataset = open_table(path)
        assert len(dataset.load(dataset.utterances()[0]).audio) == 4800


class TestOtherFormats:
    def test_parquet(self, tmp_path):
        voice(tmp_path / "x.wav", 300)
        pq.write_table(
            pa.table(
                {
                    "id": [1, 2],
                    "audio": ["x.wav", None],
                    "text": ["NA", None],
                    "label": [1.0, 0.0],
                    "age": [30, None],
                    "score": [float("nan"), 0.5],
                }
            ),
            tmp_path / "t.parquet",
        )
        dataset = open_table(tmp_path, "table:label_names=anger+joy")
        first, second = dataset.utterances()
        assert (first.id, first.label, first.extra) == ("1", "joy", {"age": 30, "score": None})
        assert dataset.load(first).text == "NA"
        assert dataset.load(second).text == ""
        assert dataset.load(second).audio is None

    def test_parquet_with_files_inside_is_refused_with_the_way_out(self, tmp_path):
        pq.write_table(
            pa.table({"audio": [{"bytes": b"x", "path": "x.wav"}], "label": ["joy"]}), tmp_path / "t.parquet"
        )
        with pytest.raises(MerbenchError, match=r"column 'audio' .*save_to_disk"):
            open_table(tmp_path).utterances()

    def test_a_file_that_only_calls_itself_parquet(self, tmp_path):
        with pytest.raises(MerbenchError, match="is not a Parquet file"):
            open_table(write(tmp_path / "t.parquet", "nothing")).utterances()

    @pytest.fixture
    def saved(self, tmp_path):
        """A Hugging Face dataset with two splits, sound files inside and class labels."""
        parts = {}
        for split, hertz in (("train", 300.0), ("test", 400.0)):
            clips = [voice(tmp_path / split / f"{split}{i}.wav", hertz + i) for i in range(2)]
            part = huggingface.Dataset.from_dict(
                {
                    "audio": [{"bytes": c.read_bytes(), "path": c.name} for c in clips],
                    "text": ["NA", None],
                    "label": [1, 0],
                }
            )
            part = part.cast_column("audio", huggingface.Audio(decode=False))
            parts[split] = part.cast_column("label", huggingface.ClassLabel(names=["anger", "joy"]))
        huggingface.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
        return tmp_path / "saved"

    def test_a_saved_hugging_face_dataset(self, saved):
        dataset = open_table(saved)
        utterances = dataset.utterances()
        assert [(u.id, u.label, u.split) for u in utterances] == [
            ("test0", "joy", "test"),
            ("test1", "anger", "test"),
            ("train0", "joy", "train"),
            ("train1", "anger", "train"),
        ]
        sample = dataset.load(utterances[0])
        assert sample.text == "NA"
        assert sample.audio.dtype == np.int16
        assert len(sample.audio) == 6400
        assert dataset.check().ok

    def test_files_inside_a_dataset_are_identified_by_their_bytes(self, saved, tmp_path):
        rows = open_table(saved).utterances()
        lines = [f"{u.id},{u.split}/{u.id}.wav,{u.label},{u.split}" for u in rows]
        csv_path = write(tmp_path / "same.csv", "id,audio,label,split\n" + "\n".join(lines) + "\n")
        outside = open_table(csv_path)
        inside = {u.id: u.source.audio for u in rows}
        for u in outside.utterances():
            assert u.source.audio.read_bytes() == inside[u.id].read()


class TestRealTables:
    def test_nemo_polish_texts_and_padded_speakers(self, real_data):
        dataset = open_table(
            real_data / "audio" / "nemo",
            "table:audio=file_id,text=raw_text,label=emotion,speaker=speaker_id,media_root=samples",
        )
        utterances = dataset.utterances()
        assert len(utterances) == 240
        assert Counter(u.label for u in utterances) == dict.fromkeys(dataset.labels, 40)
        assert {u.speaker for u in utterances} == {"EB0", "IC0", "KS0", "SM0", "TP0"}
        sample = dataset.load(utterances[0])
        assert (
            sample.text
            == "Lubi\N{LATIN SMALL LETTER E WITH OGONEK} czyta\N{LATIN SMALL LETTER C WITH ACUTE} przed snem."
        )
        assert len(sample.audio) > 16_000
        padded = [f for f in dataset.check().findings if f.where == "column 'speaker_id'"]
        assert padded[0].what.startswith("240 cells")

    def test_meld_dev(self, real_data):
        dataset = open_table(
            real_data / "text" / "meld" / "dev_sent_emo.csv",
            "table:text=Utterance,label=Emotion,speaker=Speaker,dialogue=Dialogue_ID",
        )
        utterances = dataset.utterances()
        assert len(utterances) == 1109
        assert Counter(u.label for u in utterances)["neutral"] == 470
        assert dataset.load(utterances[0]).text.startswith(
            "Oh my God, he\N{RIGHT SINGLE QUOTATION MARK}s lost it."
        )

    def test_goemotions_without_a_header_and_with_several_labels(self, real_data):
        path = real_data / "text" / "goemotions" / "ekman" / "dev.tsv"
        spec = "table:header=text+label+id,label_names=labels.txt"
        with pytest.raises(MerbenchError, match=r"dev\.tsv:2: '3,4' are several labels"):
            open_table(path, spec).utterances()
        dataset = open_table(path, f"{spec},multi_label=drop")
        assert len(dataset.utterances()) == 5426 - 480
        assert dataset.labels == ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")

    def test_crema_d_flash_video(self, real_data, tmp_path):
        with (real_data / "manifest.csv").open(encoding="utf-8") as handle:
            rows = [row for row in csv.DictReader(handle) if row["path"].endswith(".flv")]
        path = tmp_path / "cremad.csv"
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, ["path", "label", "speaker", "transcript"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        dataset = open_table(
            path, "table:video=path,text=transcript,text_informative=false", media_root=real_data
        )
        utterances = dataset.utterances()
        assert [u.id for u in utterances] == sorted(f"1001_DFA_{e}_XX" for e in ("ANG", "HAP", "NEU", "SAD"))
        for u in utterances:
            sample = dataset.load(u)
            assert sample.frames.shape == (4, 32, 32, 3)
            assert 1.5 < len(sample.audio) / 16_000 < 2.5
            assert sample.text == "Don't forget a jacket"
        assert dataset.check().ok
