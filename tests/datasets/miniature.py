"""A miniature of every dataset that needs files, in the layout in which the real one comes.

A new reader adds itself to `MINIATURES`; the contract tests do the rest.
"""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from PIL import Image

from tests.media.clips import tone, write_clip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Builder = Callable[[Path], tuple[Path | None, dict[str, Any]]]


def voice(path: Path, hertz: float, rate: int = 48_000, seconds: float = 0.4) -> Path:
    """Write a short WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, rate, hertz), rate, subtype="PCM_16")
    return path


def face(path: Path, seed: int, *, sound: bool = True) -> Path:
    """Write a short MP4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.random.default_rng(seed).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    return write_clip(path, frames, audio=tone(0.6, 48_000, 200 + seed) if sound else None, rate=48_000)


def ravdess_audio(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Two actors, all eight emotions, one song."""
    root = tmp_path / "ravdess"
    for actor in (1, 2):
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02d}-01-{actor:02d}-01-{actor:02d}.wav"
            voice(root / f"Actor_{actor:02d}" / name, 200 + 20 * emotion + actor)
    voice(root / "Actor_02" / "03-02-03-02-01-01-02.wav", 999)
    return root, {}


def ravdess_video(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The audio-video and the video-only release beside the audio one."""
    root, _ = ravdess_audio(tmp_path)
    for emotion in (1, 3, 5):
        fields = f"01-{emotion:02d}-01-01-01-01"
        folder = root / "Video_Speech_Actor_01" / "Actor_01"
        face(folder / f"01-{fields}.mp4", emotion)
        face(folder / f"02-{fields}.mp4", emotion, sound=False)
    return root, {}


def table_of_everything(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Sound, video, still image and text, each missing somewhere; decomposed Unicode; padded ids."""
    root = tmp_path / "table"
    voice(root / "a.wav", 220, 44_100)
    face(root / "b.mp4", 1)
    face(root / "c.mp4", 2, sound=False)
    Image.fromarray(np.full((40, 30, 3), 99, np.uint8)).save(root / "d.png")
    rows = [
        ("name", "audio", "video", "image", "text", "label", "speaker", "dialogue", "split", "age"),
        (
            " u1 ",
            "a.wav",
            "",
            "",
            "caf\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}",
            "joy",
            "s1",
            "d1",
            "test",
            "30",
        ),
        ("u2", "", "b.mp4", "", "NA", "anger", "s2", "d1", "test", "40"),
        ("u3", "a.wav", "c.mp4", "", "", "joy", "s1", "d2", "train", ""),
        ("u4", "", "", "d.png", "null", "fear", "", "", "train", "50"),
        ("u5", "", "", "", 'only words, "quoted"\nover two lines', "joy", "s2", "d2", "test", "60"),
    ]
    with (root / "utterances.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return root, {"id": "name"}


def merr(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Six clips, MP4 and AVI, annotated coarsely without and finely with a valence; one has no clip."""
    root = tmp_path / "MER2023"
    names = [f"sample_{number:08d}" for number in (23, 46, 47, 54, 69, 81)]
    emotions = ("angry", "worried", "surprise", "doubt", "neutral", "contempt")
    for seed, name in enumerate(names[:5]):
        face(root / "video" / f"{name}{'.avi' if seed == 3 else '.mp4'}", seed)
    coarse = [
        f"{name} {20 + i} {emotion}" for i, (name, emotion) in enumerate(zip(names, emotions, strict=True))
    ]
    (root / "MERR_coarse_grained.txt").write_text("\n".join(coarse) + "\n\n", encoding="utf-8")
    fine = [f"{n} {20 + i} {emotions[i]} -{i}.61232674" for i, n in enumerate(names[:3])]
    (root / "MERR_fine_grained.txt").write_text("\n".join(fine) + "\n", encoding="utf-8")
    cues = {
        "AU_list": ["AU04"],
        "visual_prior_list": ["brow lowerer"],
        "peak_index": "7",
        "pseu_emotion": "angry",
    }
    described = {
        name: {**cues, "caption": f"A person, {emotion}."}
        for name, emotion in zip(names, emotions, strict=True)
    }
    (root / "MERR_coarse_grained.json").write_text(json.dumps(described), encoding="utf-8")
    reasons = {
        name: {**cues, "text": "No!", "smp_reason_caption": "The brows are drawn. "} for name in names[:3]
    }
    (root / "MERR_fine_grained.json").write_text(json.dumps(reasons), encoding="utf-8")
    with (root / "transcription_en_all.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([("name", "sentence"), *((n, f"No, {n}!") for n in names[:4])])
    return root, {}


def crema_d(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Two actors in all three releases, with the votes of both forms, demographics, and a defective clip."""
    root = tmp_path / "CREMA-D"
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    clips = [
        f"{1001 + i % 2}_{'DFA' if i % 2 else 'IEO'}_{e}_{'XX' if i % 2 else 'MD'}"
        for i, e in enumerate(emotions)
    ]
    clips.append("1076_MTI_SAD_XX")
    for seed, clip in enumerate(clips):
        sound = tone(0.6, 44_100, 200 + seed)
        frames = np.random.default_rng(seed).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
        for folder in ("VideoFlash", "AudioMP3"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        flash, mp3 = root / "VideoFlash" / f"{clip}.flv", root / "AudioMP3" / f"{clip}.mp3"
        write_clip(flash, frames, codec="flv", audio=sound, audio_codec="libmp3lame", rate=44_100)
        write_clip(mp3, audio=sound, audio_codec="libmp3lame", rate=44_100)
        voice(root / "AudioWAV" / f"{clip}.wav", 200 + seed, 16_000)
    counts = [("", *"ADFHNS", "fileName", "numResponses", "agreement", "emoVote")]
    winners = [
        (
            "",
            "FileName",
            "VoiceVote",
            "VoiceLevel",
            "FaceVote",
            "FaceLevel",
            "MultiModalVote",
            "MultiModalLevel",
        )
    ]
    for number, clip in enumerate(clips, start=1):
        truth = emotions.index(clip[9:12])
        for question, right in ((1, 3), (2, 4), (3, 8)):
            votes = [0] * 6
            votes[truth] += right
            votes[4] += 8 - right
            best = ":".join(e for e, n in zip("ADFHNS", votes, strict=True) if n == max(votes))
            counts.append((f"{question}{number:05d}", *votes, clip, 8, max(votes) / 8, best))
        letter = "ADFHNS"[truth]
        tied = letter if letter == "N" else f"{letter}:N"
        winners.append((str(number), clip, "N", "60.1", tied, "50:61", letter, "70.25"))
    (root / "processedResults").mkdir()
    for name, rows in (("tabulatedVotes", counts), ("summaryTable", winners)):
        with (root / "processedResults" / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","Caucasian","Not Hispanic"\n',
        encoding="utf-8",
    )
    return root, {}


def split_screen(path: Path, frames: int = 40) -> Path:
    """Write an AVI as IEMOCAP's: MPEG-4 with few key frames, a red person left and a blue one right.

    Both get brighter with time, so that a picture tells both whose and when it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    brightness = np.linspace(60, 250, frames).astype(np.uint8)
    pictures = np.zeros((frames, 48, 72, 3), np.uint8)
    pictures[:, 8:40, :36, 0] = brightness[:, None, None]
    pictures[:, 8:40, 36:, 2] = brightness[:, None, None]
    return write_clip(path, pictures, codec="mpeg4", audio=tone(frames / 10, 16_000), audio_codec="pcm_s16le")


def iemocap(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Five sessions of one dialogue each with all eleven annotations, as the archive unpacks on a Mac."""
    root = tmp_path / "IEMOCAP_full_release"
    codes = ("ang", "hap", "exc", "sad", "neu", "fru", "sur", "fea", "dis", "oth", "xxx")
    for number in range(1, 6):
        session, wearer = root / f"Session{number}", "FM"[number % 2]
        dialogue = f"Ses0{number}{wearer}_{'impro01' if number < 5 else 'script01_1b'}"
        annotation = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        spoken = []
        for i, code in enumerate(codes):
            speaker = "FM"[i % 2]
            name, start, end = f"{dialogue}_{speaker}{i:03d}", 0.3 * i, 0.3 * i + 0.6
            voice(
                session / "sentences" / "wav" / dialogue / f"{name}.wav", 200 + 20 * i + number, 16_000, 0.6
            )
            annotation += [
                f"[{start:.4f} - {end:.4f}]\t{name}\t{code}\t[2.{i % 10}000, 3.5000, 2.5000]",
                "C-E2:\tNeutral;\t()",
                "A-E3:\tval 3; act 2; dom  2;\t()",
                "",
            ]
            line = ("[LAUGHTER] Oh [BREATHING] no.", "[LAUGHTER]")[i == 1] if i < 2 else f"That is {i}."
            spoken.append(f"{name} [{start:08.4f}-{end:08.4f}]: {line}")
        spoken.insert(3, f"{dialogue}_FXX0 [000.1000-000.2000]: Nobody rated this.")
        spoken.append("M: What was that?")
        for folder, lines in (("EmoEvaluation", annotation), ("transcriptions", spoken)):
            path = session / "dialog" / folder / f"{dialogue}.txt"
            path.parent.mkdir(parents=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            (path.parent / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07Mac OS X\xff")
        video = split_screen(session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi")
        (video.parent / f"._{video.name}").write_bytes(b"\x00\x05\x16\x07Mac OS X\xff")
    return root, {}


def iemocap_without_videos(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The smaller of the two releases, six classes, and the folder above it as the root."""
    root, _ = iemocap(tmp_path)
    for folder in root.glob("Session*/dialog/avi"):
        shutil.rmtree(folder)
    return tmp_path, {"classes": "6way"}


def nemo(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Two speakers, all six emotions, Polish letters and the blanks in front of the speaker's id."""
    root = tmp_path / "nEMO"
    rows = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for i, emotion in enumerate(("anger", "fear", "happiness", "neutral", "sadness", "surprised")):
        speaker, gender = (("EB0", "female"), ("SM0", "male"))[i % 2]
        name = f"{speaker}_{emotion}_{i + 1}.wav"
        voice(root / "samples" / name, 200 + i, 24_000)
        rows.append(f'{name}\t{emotion}\tLubię "{i}" źdźbła.\tlubię źdźbła\t        {speaker}\t{gender}\t27')
    (root / "data.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root, {}


GOEMOTIONS = (
    "admiration amusement anger annoyance approval caring confusion curiosity desire disappointment "
    "disapproval disgust embarrassment excitement fear gratitude grief joy love nervousness optimism "
    "pride realization relief remorse sadness surprise neutral"
)


def goemotions(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """As Google publishes it: three splits without header, some rows with several labels."""
    root = tmp_path / "goemotions"
    (root / "data").mkdir(parents=True)
    names = GOEMOTIONS.split()
    (root / "data" / "emotions.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    for split in ("train", "dev", "test"):
        rows = [(f"Thanks, number {i} \N{GRINNING FACE}", str(i), f"{split}{i:02d}") for i in range(28)]
        rows += [('"Argh', "2,3", f"{split}28"), ("Sad and fun", "1,25", f"{split}29")]
        text = "".join("\t".join(row) + "\n" for row in rows)
        (root / "data" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return root, {}


def emorynlp(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Three splits with quoted commas, a line said by two, and two scenes."""
    root = tmp_path / "emorynlp"
    root.mkdir()
    header = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time"
    emotions = ("Joyful", "Mad", "Neutral", "Peaceful", "Powerful", "Sad", "Scared")
    for episode, split in enumerate(("train", "dev", "test"), start=1):
        rows = [header]
        for i, emotion in enumerate(emotions):
            who = "\"['Ross Geller', 'Chandler Bing']\"" if i == 3 else "['Rachel Green']"
            times = f"00:00:{i:02d}.795,00:00:{i + 1:02d}.004"
            rows.append(
                f'"Oh, no {i}!",{who},{emotion},{1 + i % 2},{i + 1},1,{episode},"{times[:12]}",{times[13:]}'
            )
        (root / f"emorynlp_{split}_final.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root, {}


def emodb(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Two speakers, all seven emotions, several versions, 16 kHz."""
    root = tmp_path / "EmoDB"
    names = ("03a01Fa", "03a01Nc", "03a02Wb", "08b10Lb", "08b09Ec", "08a07Aa", "08b03Tb", "03a01Wa")
    for i, name in enumerate(names):
        voice(root / "wav" / f"{name}.wav", 200 + i, 16_000)
    return root, {}


def meld_texts(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The three CSV files, one with a byte order mark, with quotes, line breaks and broken apostrophes."""
    root = tmp_path / "MELD.Raw"
    (root / "train").mkdir(parents=True)
    header = (
        "Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID",
        "Season", "Episode", "StartTime", "EndTime",
    )  # fmt: skip
    lines = (
        ("It\x92s over, isn\x92t it?", "Monica", "sadness", "negative"),
        ('"Wanted. Roommate." Nice!', "Chandler", "joy", "positive"),
        ("Oh,\nno!", "Monica", "fear", "negative"),
        ("Yâ€™know.", "All", "neutral", "neutral"),
        ("Ew.", "Ross", "disgust", "negative"),
    )
    numbers = {"train": (0, 125), "dev": (0, 110), "test": (0, 1)}
    for split, dialogues in numbers.items():
        rows: list[tuple[object, ...]] = [header]
        for dialogue in dialogues:
            for i, line in enumerate(lines):
                turn = 7 if (split, dialogue, i) == ("dev", 110, 4) else i
                rows.append((len(rows), *line, dialogue, turn, 8, 21, "00:16:16,059", "00:16:21,731"))
        folder = root / "train" if split == "train" else root
        encoding = "utf-8-sig" if split == "dev" else "utf-8"
        with (folder / f"{split}_sent_emo.csv").open("w", encoding=encoding, newline="") as handle:
            csv.writer(handle).writerows(rows)
    return root, {}


def meld(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """With clips: the two bad ones, one nobody annotated, one under its other name, one under both."""
    root, _ = meld_texts(tmp_path)
    folders = {
        "train": ("train/train_splits", (0, 125)),
        "dev": ("dev/dev_splits_complete", (0, 110)),
        "test": ("test/output_repeated_splits_test", (0, 1)),
    }
    for seed, (below, dialogues) in enumerate(folders.values()):
        for dialogue in dialogues:
            for turn in range(5):
                face(root / below / f"dia{dialogue}_utt{turn}.mp4", 20 * seed + 10 * bool(dialogue) + turn)
    train, dev, test = (root / below for below, _ in folders.values())
    (train / "dia125_utt3.mp4").write_bytes(b"\x00" * 64)
    (train / "._dia0_utt0.mp4").write_bytes(b"\x00\x05\x16\x07")
    (dev / "dia110_utt4.mp4").rename(dev / "dia66_utt9.mp4")
    (test / "dia1_utt4.mp4").rename(test / "final_videos_testdia1_utt4.mp4")
    face(test / "final_videos_testdia1_utt3.mp4", 99)
    return root, {}


def mer2023(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The four splits as the archives unpack: AVI and MP4, one clip unlabelled, two without a transcript."""
    root = tmp_path / "MER2023"
    emotions = ("neutral", "angry", "happy", "sad", "worried", "surprise")
    names: list[str] = []
    for seed, split in enumerate(("train", "test1", "test2", "test3")):
        train = root / "mer2023train"
        clips = {"train": train / "train", "test3": train / "test3"}.get(split, root / split)
        labels = train if split == "train" else root / "test-labels"
        labels.mkdir(parents=True, exist_ok=True)
        rows = [("name", "discrete") if split == "test3" else ("name", "discrete", "valence")]
        for i, emotion in enumerate(emotions):
            name = f"sample_{6 * seed + i:08d}"
            names.append(name)
            face(clips / f"{name}{'.avi' if i % 2 else '.mp4'}", 10 * seed + i)
            rows.append((name, emotion) if split == "test3" else (name, emotion, f"{i - 2.5}"))
        with (labels / f"{split}-label.csv").open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(rows)
    face(root / "mer2023train" / "test3" / "sample_00000099.mp4", 99)
    spoken = [
        ("name", "english", "chinese"),
        *((name, f"No, {name}!", "\u4e0d\u884c\uff01") for name in names[2:]),
    ]
    with (root / "transcription-engchi-polish.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(spoken)
    return root, {}


def hub(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of a repository: Parquet files by split, with the sound in them and a class label."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = tmp_path / "copy"
    (root / "data").mkdir(parents=True)
    features = datasets.Features(
        {
            "file_id": datasets.Value("string"),
            "audio": datasets.Audio(),
            "emotion": datasets.ClassLabel(names=["sad", "glad"]),
            "raw_text": datasets.Value("string"),
        }
    )
    for split, count in (("train", 3), ("test", 4)):
        rows = {
            "file_id": [f"{split}{i}" for i in range(count)],
            "audio": [
                {
                    "path": f"{split}{i}.wav",
                    "bytes": voice(tmp_path / f"{split}{i}.wav", 200 + i, 16_000).read_bytes(),
                }
                for i in range(count)
            ],
            "emotion": [i % 2 for i in range(count)],
            "raw_text": [f"Number {i}" for i in range(count)],
        }
        table = pa.Table.from_pydict(rows, schema=features.arrow_schema)
        pq.write_table(table, root / "data" / f"{split}-00000-of-00001.parquet")
    return root, {"id": "file_id", "label": "emotion", "text": "raw_text"}


def dfew(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Fifteen clips in two parts, five folds of three, one clip in none of them; no zeros in names."""
    root = tmp_path / "DFEW"
    numbers = [*range(1, 15), 16_372]
    for number in (*numbers, 99):
        face(root / "Clip" / "original" / f"part_{1 + number // 10_000}" / f"{number}.mp4", number)
    for fold in range(1, 6):
        tested = numbers[fold - 1 :: 5]
        for split in ("train", "test"):
            folder = root / "EmoLabel_DataSplit" / f"{split}(single-labeled)"
            folder.mkdir(parents=True, exist_ok=True)
            rows = [f"{n},{1 + n % 7}" for n in numbers if (n in tested) == (split == "test")]
            text = "\r\n".join(["video_name,label", *rows, ""])
            (folder / f"set_{fold}.csv").write_text(text, encoding="utf-8", newline="")
    return root, {"fold": "2"}


SEGMENTS = {
    # start and end in seconds, sentiment, then happy, sad, anger, surprise, disgust, fear
    "-9y-fZ3swSY": [
        (1.8, 2.9, 1.0, 1.333, 0.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 1.013, -2.333, 0.0, 0.667, 1.0, 0.0, 1.0, 0.0),
        (0.9, 1.898, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    ],
    "--qXJuDtHPw": [(-0.457596371882, 1.77959183673, 1.667, 0.667, 0.0, 0.0, 0.0, 0.0, 0.0)],
    "81406": [
        (2.2, 4.75, -0.333, 0.0, 0.333, 0.0, 0.0, 0.0, 0.0),  # runs past the end, at 3 s
        (0.0, 2.0, 3.0, 3.0, 0.0, 0.0, 0.333, 0.0, 0.0),
    ],
    "274563": [(0.0, 2.5, -1.333, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0)],  # its transcript has other times
    "2Y8-fOtMCsE": [(0.0, 2.0, 0.667, 0.667, 0.0, 0.0, 0.0, 0.0, 0.0)],  # in no list
    "0h-zjBukYpk": [(0.0, 2.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)],  # its files are not there
}
"""Labels as in the label file of CMU-MOSEI: not in the order of time, one before its video begins."""

_FOLDS = {"train": ["-9y-fZ3swSY", "0h-zjBukYpk"], "valid": ["--qXJuDtHPw"], "test": ["81406", "274563"]}


def mosei_emotions(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The archive without the videos: sounds, transcripts, the label file and the lists of videos."""
    import h5py

    root = tmp_path / "CMU_MOSEI"
    raw = root / "Raw"
    for seed, video in enumerate(list(SEGMENTS)[:-1]):
        voice(raw / "Audio" / "Full" / "WAV_16000" / f"{video}.wav", 200 + 20 * seed, 16_000, 3.0)
        script = raw / "Transcript" / "Segmented" / "Combined" / f"{video}.txt"
        script.parent.mkdir(parents=True, exist_ok=True)
        late = 0.25 if video == "274563" else 0.0
        lines = [
            f"{video}___{number}___{start + late}___{end + late}___And _____ caf\N{LATIN SMALL LETTER E}"
            f"\N{COMBINING ACUTE ACCENT} number {number}, you know."
            for number, (start, end, *_) in enumerate(sorted(SEGMENTS[video]))
        ]
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        (script.parent / f"._{script.name}").write_bytes(b"\x00\x05\x16\x07Mac OS X\xff")
    with h5py.File(root / "CMU_MOSEI_Labels.csd", "w") as file:
        sequence = file.create_group("All Labels")
        names = ["sentiment", "happy", "sad", "anger", "surprise", "disgust", "fear"]
        sequence["metadata/dimension names"] = [json.dumps(names)]
        for video, segments in SEGMENTS.items():
            sequence[f"data/{video}/intervals"] = np.array([segment[:2] for segment in segments])
            sequence[f"data/{video}/features"] = np.array([segment[2:] for segment in segments], np.float32)
    folds = "".join(f"standard_{split}_fold={videos!r}\n\n" for split, videos in _FOLDS.items())
    (root / "cmu_mosei_std_folds.py").write_text(folds, encoding="utf-8")
    return root, {"target": "emotions"}


def mosei(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The same with two of the videos, which get brighter with time."""
    root, _ = mosei_emotions(tmp_path)
    pictures = np.zeros((30, 24, 32, 3), np.uint8)
    pictures[..., 0] = np.linspace(60, 250, 30).astype(np.uint8)[:, None, None]
    for video in ("-9y-fZ3swSY", "81406"):
        film = root / "Raw" / "Videos" / "Full" / "Combined" / f"{video}.mp4"
        film.parent.mkdir(parents=True, exist_ok=True)
        write_clip(film, pictures, audio=tone(3.0, 16_000), rate=16_000)
    return root, {}


def mosei_clips(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The form of the MMSA toolkit: clips and one table; one clip is missing."""
    root = tmp_path / "MOSEI"
    rows = [("video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode")]
    for seed, (split, videos) in enumerate(_FOLDS.items()):
        for number, (_, _, sentiment, *_) in enumerate(SEGMENTS[videos[0]]):
            if number < 2:
                face(root / "Raw" / videos[0] / f"{number}.mp4", 10 * seed + number)
            felt = ("Negative", "Neutral", "Positive")[int(np.sign(sentiment)) + 1]
            rows.append((videos[0], number, f"Well, number {number}.", sentiment, "", "", "", felt, split))
    with (root / "label.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return root, {}


MINIATURES: dict[str, tuple[Builder, ...]] = {
    "crema-d": (
        crema_d,
        lambda tmp_path: (crema_d(tmp_path)[0], {"release": "wav", "label": "perceived"}),
        lambda tmp_path: (crema_d(tmp_path)[0], {"release": "mp3", "known_bad": "keep"}),
    ),
    "dfew": (dfew,),
    "iemocap": (iemocap, iemocap_without_videos),
    "emodb": (emodb,),
    "emorynlp": (emorynlp,),
    "goemotions": (
        goemotions,
        lambda tmp_path: (goemotions(tmp_path)[0], {"grouping": "ekman", "multi_label": "first"}),
    ),
    "meld": (meld, meld_texts),
    "mer2023": (mer2023,),
    "mosei": (mosei, mosei_clips, mosei_emotions),
    "hub": (hub,),
    "merr": (merr,),
    "nemo": (nemo,),
    "ravdess": (ravdess_audio, ravdess_video),
    "synthetic": (lambda _: (None, {"train": 3, "validation": 2, "test": 5}),),
    "table": (table_of_everything,),
}
