"""Suites cropped to the face: noise gets into the frame as filmed, and then the face is cut out."""

from __future__ import annotations

import csv
import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merbench.corruption import corruptions
from merbench.datasets import load_dataset
from merbench.errors import MerbenchError
from merbench.media.face_detector import FaceDetector
from merbench.media.faces import CENTRED, UNITS, agreed_box, crop_clip, overlap, square_around
from merbench.suites.build import build_suite
from merbench.suites.faces import make_faces
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.rebuild import plan_from_record
from merbench.suites.store import Suite
from merbench.suites.verify import roots_of, verify_suite
from merbench.types import MODALITIES, Batch, MediaSpec
from tests.media.clips import write_clip
from tests.models.onnx_files import brightest_cells, channel_means

HEIGHT, WIDTH, FRAMES = 64, 128, 4
CELL = (WIDTH // 4, HEIGHT // 4)


def filmed(seed: int, cell: tuple[int, int] | None) -> np.ndarray:
    """Frames of dim noise in which one cell (column, row) of 4 x 4 is white, with a little around it."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 90, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    if cell is not None:
        left, top = cell[0] * CELL[0], cell[1] * CELL[1]
        around_y = slice(max(0, top - 4), top + CELL[1] + 4)
        frames[:, around_y, max(0, left - 8) : left + CELL[0] + 8] = 255
    return frames


CELLS = [(0, 0), (1, 2), (3, 3), (2, 1), None, (1, 1), (2, 2), (0, 3), (3, 0), (1, 0)]


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return brightest_cells(tmp_path_factory.mktemp("detector") / "cells.onnx")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Ten clips in which the white cell is somewhere else, in one of them nowhere."""
    folder = tmp_path_factory.mktemp("filmed")
    with (folder / "clips.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(("id", "video", "label", "speaker"))
        for i, cell in enumerate(CELLS):
            clip = write_clip(folder / f"c{i}.mkv", filmed(i, cell), codec="ffv1", pixels="bgr0")
            table.writerow((f"c{i}", clip.name, ("joy", "fear")[i % 2], f"s{i}"))
    return folder


def opened(root, media=None):
    return load_dataset("table", root, media or MediaSpec(frames=FRAMES, frame_size=24))


def planned(root, detector, *corruptions, crop="fixed", severities=(1, 5), **more):
    faces = make_faces(crop, detector, 24)
    chosen = [parse_corruption(spec, {}) for spec in corruptions]
    return make_plan(opened(root), chosen, severities, faces=faces, **more)


def box_of(cell):
    return tuple(256 * v for v in (cell[0], cell[1], cell[0] + 1, cell[1] + 1))


boxes = st.tuples(*[st.integers(0, UNITS - 1)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1, max(v[1], v[3]) + 1)
)
sides = st.integers(1, 400)


class TestGeometry:
    @given(boxes, sides, sides)
    def test_the_square_lies_within_the_frame(self, box, height, width):
        top, left, side = square_around(box, height, width)
        assert side >= 1
        assert 0 <= top <= height - side
        assert 0 <= left <= width - side

    @given(boxes)
    def test_where_there_is_room_the_box_is_in_the_middle_with_context(self, box):
        top, left, side = square_around(box, 4 * UNITS, 4 * UNITS)
        longer = 4 * max(box[2] - box[0], box[3] - box[1])
        assert side == min(round(1.3 * longer), 4 * UNITS)
        for start, a, b in ((left, box[0], box[2]), (top, box[1], box[3])):
            if 0 < start < 4 * UNITS - side:
                assert abs(start + side / 2 - 2 * (a + b)) <= 1

    @given(boxes, boxes)
    def test_overlap_is_symmetric_and_one_only_for_the_same(self, a, b):
        assert 0 <= overlap(a, b) == overlap(b, a) <= 1
        assert (overlap(a, b) == 1) == (a == b)

    @given(boxes, st.integers(1, 5))
    def test_what_is_found_everywhere_is_agreed_on(self, box, n):
        assert agreed_box([box] * n) == box
        assert agreed_box([None, *[box] * n, None]) == box

    def test_neither_a_false_alarm_nor_a_second_person_moves_it(self):
        face, other = (100, 100, 300, 400), (600, 100, 900, 500)
        assert agreed_box([face, other, face, face, other]) == face

    def test_a_moving_head_is_met_in_the_middle_of_its_way(self):
        assert agreed_box([(100 + d, 100, 300 + d, 400) for d in (0, 10, 20)]) == (110, 100, 310, 400)

    def test_nothing_found_is_nothing(self):
        assert agreed_box([None, None]) is None


class TestDetector:
    @pytest.mark.parametrize("cell", [c for c in CELLS if c])
    def test_it_finds_the_face_and_not_the_worse_candidate_around_it(self, detector, cell):
        assert FaceDetector(detector)(filmed(0, cell)[0]) == box_of(cell)

    def test_it_finds_nothing_where_nothing_is(self, detector):
        assert FaceDetector(detector)(filmed(0, None)[0]) is None

    def test_what_is_no_detector_is_refused_in_one_line(self, tmp_path):
        text = tmp_path / "text.onnx"
        text.write_text("no network")
        for path, why in (
            (tmp_path / "nowhere.onnx", "there is no face detector at"),
            (text, "is not an ONNX network that can be run"),
            (channel_means(tmp_path / "means.onnx"), r"is no face detector: it has x \['n', 3, 8, 8\]"),
        ):
            with pytest.raises(MerbenchError, match=why) as caught:
                FaceDetector(path)
            assert "\n" not in str(caught.value)
            assert "[1, 3, H, W]" in str(caught.value)


class TestFixed:
    def test_noise_gets_into_the_frame_as_filmed_and_then_the_face_is_cut_out(self, root, detector):
        plan = planned(root, detector, "vision/occlusion_mask", "vision/gaussian_noise")
        native = opened(root, MediaSpec(frames=FRAMES, frame_size=None))
        seen = 0
        for chunk in plan.chunks(0):
            samples = [native.load(u) for u in chunk.utterances]
            whole = Batch.of(samples)
            found = [report["face"]["box"] for report in chunk.achieved]
            for i, box in enumerate(found):
                assert (chunk.clean.frames[i] == crop_clip(samples[i].frames, tuple(box), 24)).all()
            for cell, batch, params, _ in chunk.cells:
                corruption = parse_corruption(cell.corruption, {})
                expected, _ = corruption.apply(whole, params, plan.pool, **corruption.strength(cell.severity))
                for i, box in enumerate(found):
                    assert (batch.frames[i] == crop_clip(expected.frames[i], tuple(box), 24)).all()
                    seen += 1
        assert seen == 4 * len(CELLS)

    def test_boxes_are_where_the_faces_are_or_in_the_middle_and_are_counted(self, root, detector, tmp_path):
        suite = build_suite(planned(root, detector), tmp_path / "suite")
        told = {
            u.id: report["face"]
            for chunk in suite.chunks(0)
            for u, report in zip(chunk.utterances, chunk.achieved, strict=True)
        }
        for i, cell in enumerate(CELLS):
            expected = (box_of(cell), "detector") if cell else (CENTRED, "centred")
            assert (tuple(told[f"c{i}"]["box"]), told[f"c{i}"]["from"]) == expected
        assert suite.manifest["faces"]["boxes"] == {"dataset": 0, "detector": 9, "centred": 1}
        assert suite.manifest["faces"]["detector"] == FaceDetector(detector).sha256

    def test_the_datasets_own_box_goes_first(self, root, detector):
        dataset = opened(root)
        for u in dataset.utterances():
            u.extra["face_box"] = [0.5, 0.5, 1.0, 1.0]
        faces = make_faces("fixed", detector, 24)
        (chunk, *_) = make_plan(dataset, [], (), faces=faces).chunks(0)
        assert {report["face"]["from"] for report in chunk.achieved} == {"dataset"}
        assert chunk.achieved[0]["face"]["box"] == [512, 512, 1024, 1024]

    def test_a_table_has_boxes_as_text(self, root, detector, tmp_path):
        rows = ["id,video,label,face_box", f'a,{root / "c0.mkv"},joy,"0.5,0.5,1,1"']
        rows += [f"b,{root / 'c1.mkv'},fear,0.5 0.5 1 1", f"c,{root / 'c1.mkv'},fear,"]
        table = tmp_path / "table.csv"
        table.write_text("\n".join(rows) + "\n")
        (chunk,) = make_plan(opened(table), [], (), faces=make_faces("fixed", detector, 24)).chunks(0)
        told = {u.id: r["face"] for u, r in zip(chunk.utterances, chunk.achieved, strict=True)}
        assert told["a"] == told["b"] == {"box": [512, 512, 1024, 1024], "from": "dataset"}
        assert told["c"]["from"] == "detector"
        for broken in ("0.5 0.5 1", "left top", "nan 0 1 1"):
            table.write_text(rows[0] + f"\na,{root / 'c0.mkv'},joy,{broken}\nb,{root / 'c1.mkv'},fear,\n")
            with pytest.raises(MerbenchError, match=r"the face box of 'a' is .* give four shares"):
                next(make_plan(opened(table), [], (), faces=make_faces("fixed", None, 24)).chunks(0))

    def test_corruptions_of_the_face_take_the_same_box(self, root, detector):
        plan = planned(root, detector, "vision/face_region", "compound/masked_speaker", severities=(3,))
        for chunk in plan.chunks(0):
            boxes = [report["face"]["box"] for report in chunk.achieved]
            for cell, _, params, _ in chunk.cells:
                drawn = [row["mask"] if cell.family == "compound" else row for row in params]
                assert [row["box"] for row in drawn] == boxes

    def test_without_a_crop_frames_stay_whole_and_the_face_is_known(self, root, detector):
        plan = planned(root, detector, "vision/face_region", crop=None, severities=(1,))
        plain = {u.id: opened(root).load(u).frames for u in opened(root).utterances()}
        for chunk in plan.chunks(0):
            for i, u in enumerate(chunk.utterances):
                assert (chunk.clean.frames[i] == plain[u.id]).all()
            for _, _, params, _ in chunk.cells:
                assert {"detector"} <= {row["box_from"] for row in params} <= {"detector", "centred"}

    def test_somebody_elses_face_comes_as_it_is_cropped(self, root, detector):
        plan = planned(root, detector, "modality/mismatch:which=vision", severities=(5,))
        crops, found = {}, []
        for chunk in plan.chunks(0):
            crops |= {u.id: chunk.clean.frames[i] for i, u in enumerate(chunk.utterances)}
            for _, batch, _, achieved in chunk.cells:
                found += [(batch.frames[i], r["of"]) for i, r in enumerate(achieved) if r["mismatched"]]
        assert found
        for frames, partner in found:
            assert (frames == crops[partner]).all()

    def test_whatever_takes_pictures_from_the_pool_exchanges_them(self):
        for name in corruptions.names():
            if corruptions[name].uses_pool and "vision" in corruptions[name].changes:
                assert corruptions[name].exchanges, f"{name}: it would get frames as filmed beside a crop"

    @pytest.mark.parametrize("crop", [None, "fixed", "redetect"])
    def test_what_a_cell_leaves_alone_it_shares_with_the_clean_one(self, root, detector, crop):
        chosen = ("audio/white", "modality/dropout", "vision/jpeg", "text/typo")
        plan = planned(root, detector, *chosen, crop=crop, severities=(3,))
        for chunk in plan.chunks(0):
            for cell, batch, _, _ in chunk.cells:
                for modality in MODALITIES:
                    touched = modality in plan.changed(cell) and cell.family != "modality"  # which hide
                    assert touched or batch.shares(chunk.clean, modality), (cell.cell_id, modality)


class TestRedetect:
    def test_where_the_face_is_lost_vision_is_missing_and_the_loss_is_told(self, root, detector, tmp_path):
        plan = planned(root, detector, "vision/low_light", crop="redetect")
        suite = build_suite(plan, tmp_path / "suite")
        high = suite.cells[2].cell_id
        for chunk in suite.chunks(0):
            for cell, batch, _, achieved in chunk.cells:
                for i, report in enumerate(achieved):
                    centred = chunk.achieved[i]["face"]["from"] == "centred"
                    assert ("face" in report) != centred
                    gone = not centred and report["face"]["box"] is None
                    assert batch.present("vision")[i] == (not gone)
                    assert gone or centred or cell.cell_id != high
        lost = suite.manifest["faces"]["lost"]
        assert lost[high] == {"clips": 9, "clips_lost": 9, "frames": 9 * FRAMES, "lost": 9 * FRAMES}

    def test_a_face_that_is_still_found_is_cut_out_where_it_is_found(self, root, detector):
        plan = planned(root, detector, "vision/jpeg", crop="redetect", severities=(1,))
        for chunk in plan.chunks(0):
            for _, batch, _, achieved in chunk.cells:
                for i, report in enumerate(achieved):
                    if "face" in report:
                        assert report["face"]["overlap"] == 1
                    assert batch.frames[i].shape == (FRAMES, 24, 24, 3)

    def test_the_detector_goes_before_the_datasets_box(self, root, detector):
        dataset = opened(root)
        for u in dataset.utterances():
            u.extra["face_box"] = [0.5, 0.5, 1.0, 1.0]
        (chunk, *_) = make_plan(dataset, [], (), faces=make_faces("redetect", detector, 24)).chunks(0)
        assert "detector" in {report["face"]["from"] for report in chunk.achieved}


class TestSuite:
    @pytest.mark.parametrize("crop", ["fixed", "redetect"])
    def test_streamed_and_built_are_the_same_bytes(self, root, detector, tmp_path, crop):
        chosen = ("vision/occlusion_mask", "vision/low_light", "modality/mismatch")
        make = partial(planned, root, detector, *chosen, crop=crop)
        suite = build_suite(make(), tmp_path / "suite", workers=3)
        verify_suite(suite)
        assert roots_of(make()) == roots_of(suite) == suite.manifest["roots"]

    def test_the_recipe_knows_the_crop_and_the_detector_and_nothing_new_without_them(self, root, detector):
        plain = make_plan(opened(root), [], ())
        assert "faces" not in plain.recipe
        ids = {planned(root, detector, crop=crop).recipe_id for crop in (None, "fixed", "redetect")}
        ids |= {planned(root, None).recipe_id, plain.recipe_id}
        assert len(ids) == 5

    def test_it_is_rebuilt_with_the_same_detector_and_no_other(self, root, detector, tmp_path):
        suite = build_suite(planned(root, detector, "vision/low_light"), tmp_path / "suite")
        record = suite.folder / "recipe.json"
        with pytest.raises(MerbenchError, match="made with a face detector; pass --face-d"):
            plan_from_record(record, root=root)
        other = tmp_path / "other.onnx"
        other.write_bytes(detector.read_bytes().replace(b"candidates", b"Candidates"))
        with pytest.raises(MerbenchError, match=r"another face detector than .*other\.onnx"):
            plan_from_record(record, root=root, face_detector=other)
        assert plan_from_record(record, root=root, face_detector=detector).recipe_id == suite.recipe_id


class TestCommands:
    def arguments(self, root, detector):
        data = ("--dataset", "table", "--root", root, "--frames", FRAMES, "--frame-size", 24)
        noise = ("--corruption", "vision/low_light", "--severity", "1,5")
        return (*data, *noise, "--face-detector", detector)

    def test_the_loss_is_told_by_every_command(self, merbench, root, detector, tmp_path):
        lost = "lost the face in up to 100.0% of the frames (vision/low_light, severity"
        words = (*self.arguments(root, detector), "--faces", "redetect")
        built = merbench("corrupt", *words, "--out", tmp_path / "suite")
        assert lost in built.err
        assert "boxes by source: 9 detector, 1 centred" in built.err, built.err
        shown = merbench("suite", "show", tmp_path / "suite").out
        assert lost in shown
        assert "vision/low_light 5 100.0% 9 of 9" in " ".join(shown.split())
        results = []
        for source in (("--suite", tmp_path / "suite"), words):
            out = tmp_path / f"run{len(results)}"
            ran = merbench("eval", *source, "--model", "majority", "--out", out)
            assert ran.code == 0, ran
            assert lost in " ".join(ran.out.split())
            assert "vision/low_light 5 100.0% 9 of 9" in " ".join(ran.out.split())
            results.append(json.loads((out / "result.json").read_text()))
        assert results[0]["faces"] == results[1]["faces"] == Suite.open(tmp_path / "suite").manifest["faces"]
        assert results[0]["metrics"] == results[1]["metrics"]
        again = merbench(
            "eval", "--suite", tmp_path / "suite", "--model", "majority", "--out", tmp_path / "run0"
        )
        assert again.code == 0
        assert json.loads((tmp_path / "run0" / "result.json").read_text())["faces"] == results[0]["faces"]

    def test_wrong_words_are_refused(self, merbench, root, detector, tmp_path):
        words = self.arguments(root, detector)
        merbench("eval", *words, "--faces", "big", "--model", "majority").refused(
            "'big'", "fixed or redetect"
        )
        merbench("corrupt", *words[:-2], "--faces", "redetect", "--out", tmp_path / "s").refused(
            "needs a detector", "--face-detector"
        )
        merbench("corrupt", *words[:-1], root, "--faces", "fixed").refused("no face detector at")


class TestRealFaces:
    @pytest.fixture
    def real_detector(self, real_data):
        return real_data / "models" / "ultralight_face_RFB-320.onnx"

    def test_every_clip_has_its_face_in_the_crop(self, real_data, real_detector):
        faces = make_faces("fixed", real_detector, 64)
        dataset = load_dataset("crema-d", real_data / "av" / "cremad", MediaSpec(frames=4))
        (chunk,) = make_plan(dataset, [], (), faces=faces).chunks(0)
        again = FaceDetector(real_detector)
        for i, report in enumerate(chunk.achieved):
            assert report["face"]["from"] == "detector"
            for frame in chunk.clean.frames[i]:
                left, top, right, bottom = again(frame)
                assert max(right - left, bottom - top) / UNITS == pytest.approx(1 / 1.3, abs=0.12)
                assert abs(left + right - UNITS) < 0.25 * UNITS

    def test_strong_noise_hides_every_face_from_the_detector(self, real_data, real_detector):
        from merbench.media.decode import read_video

        clip = read_video(
            real_data / "video" / "ai_faces" / "happy.mp4", MediaSpec(frames=3, frame_size=None)
        )
        find = FaceDetector(real_detector)
        assert all(find(frame) is not None for frame in clip.frames)
        noise = np.random.default_rng(0).integers(0, 256, clip.frames.shape, dtype=np.uint8)
        assert all(find(frame) is None for frame in noise)
