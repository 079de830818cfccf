"""Pictures, folders of frames and captions of one's own: what is read, and what is refused in one line."""

import io
import json
import math
import struct
import sys
import zlib

import numpy as np
import pytest
from refusals import outcome, refusal

from minirnn.data import pictures as module
from minirnn.data.pictures import Preprocessing, read_captions, read_frames, read_picture
from minirnn.errors import InputError

Image = pytest.importorskip("PIL.Image")

FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP"}


def noise(height=20, width=24, channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def packed(array, form="PNG", mode=None, **options):
    """The bytes of a picture file."""
    image, file = array if isinstance(array, Image.Image) else Image.fromarray(array), io.BytesIO()
    (image.convert(mode) if mode else image).save(file, form, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, rows, *chunks):
    """A PNG written by hand."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# Pictures


@pytest.mark.parametrize("form", ["PNG", "BMP"])
def test_a_picture_of_the_size_is_untouched(written, form):
    found = read_picture(written(packed(noise(16, 16), form), "a." + form.lower()), 16)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, noise(16, 16))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format(written, suffix):
    plain = np.full((10, 30, 3), (200, 100, 50), np.uint8)
    found = read_picture(written(packed(plain, FORMATS[suffix]), f"a.{suffix}"), 16)
    assert found.shape == (16, 16, 3)
    assert abs(found.astype(int) - (200, 100, 50)).max() <= 4


def test_the_suffix_does_not_matter(written):
    np.testing.assert_array_equal(read_picture(written(packed(noise(8, 8)), "a.jpg"), 8), noise(8, 8))


def test_other_formats_are_refused(written):
    for form in ("TIFF", "PPM", "ICO"):
        assert "expected a PNG, JPEG, GIF, BMP or WebP picture" in refusal(
            read_picture, written(packed(noise(16, 16), form)), 8
        )


def test_it_is_squashed_and_smoothed(written):
    wide = np.zeros((8, 32, 3), np.uint8)
    wide[:, 16:] = 250
    found = read_picture(written(packed(wide)), 8)
    assert (found[:, :3] < 10).all()
    assert (found[:, 5:] > 240).all()
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    assert abs(read_picture(written(packed(stripes)), 8).astype(int) - 100).max() < 12  # no single rows are picked


def test_a_box_is_the_mean_of_what_lies_under_it(written):
    small, wide = noise(16, 16), noise(60, 90)
    enlarged = np.kron(small, np.ones((15, 40, 1), np.uint8))
    np.testing.assert_array_equal(read_picture(written(packed(enlarged)), 16, "box"), small)
    assert (read_picture(written(packed(enlarged)), 16) != small).any()  # the other filter overshoots
    means = wide.reshape(10, 6, 10, 9, 3).mean(axis=(1, 3))
    assert abs(read_picture(written(packed(wide)), 10, resampling="box") - means).max() <= 1
    np.testing.assert_array_equal(read_picture(written(packed(small)), 16, "box"), small)
    assert read_picture(written(packed(wide)), 1, "box").shape == (1, 1, 3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 50), (3_000_000, 1), (1, 200_000)])
def test_a_box_of_a_strip(written, width, height):
    plain = np.full((height, width, 3), (7, 8, 9), np.uint8)
    assert (read_picture(written(packed(plain)), 16, "box") == (7, 8, 9)).all()


def test_there_is_no_other_resampling(written):
    with pytest.raises(InputError, match="unknown resampling 'bicubic': expected one of lanczos, box"):
        read_picture(written(packed(noise())), 8, "bicubic")


def test_a_large_picture_is_as_bright_as_before(written):
    slope = np.broadcast_to(np.linspace(0, 255, 1000).astype(np.uint8)[None, :, None], (700, 1000, 3))
    found = read_picture(written(packed(np.ascontiguousarray(slope))), 10)
    expected = slope.reshape(700, 10, 100, 3).mean(axis=(0, 2))
    assert abs(found - expected[None]).max() < 3


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 50), (50, 1), (200_000, 1), (1, 200_000)])
def test_one_pixel_is_enough(written, width, height):
    plain = np.full((height, width, 3), (7, 8, 9), np.uint8)
    assert (read_picture(written(packed(plain)), 16) == (7, 8, 9)).all()


def test_grey(written):
    grey = noise(8, 8, 1)
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_picture(written(packed(grey)), 8), expected)
    deep = grey.astype(np.uint16) * 256 + 99
    np.testing.assert_array_equal(read_picture(written(packed(deep)), 8), expected)
    black = packed(grey, mode="1")
    assert set(np.unique(read_picture(written(black), 8))) == {0, 255}


def test_sixteen_bits_of_grey_and_of_colour_are_read_alike(written):
    row = struct.pack(">B3H", 0, 0x0080, 0x80FF, 0xFFFF)
    found = read_picture(written(png(3, 1, 16, 0, row)), 3)
    assert found[1, 0].tolist() == [0, 0, 0]
    assert found[1, 2].tolist() == [255, 255, 255]
    square = b"\0" + struct.pack(">3H", 0x12FF, 0x80FF, 0xFEFF)
    assert read_picture(written(png(1, 1, 16, 2, square)), 1).tolist() == [[[0x12, 0x80, 0xFE]]]
    assert read_picture(written(png(1, 1, 16, 0, b"\0\x80\xff")), 1).tolist() == [[[0x80] * 3]]


def test_a_palette(written):
    colours = np.array([(200, 0, 0), (0, 150, 0), (0, 0, 99), (1, 2, 3)], np.uint8)
    wanted = colours[np.random.default_rng(0).integers(0, 4, (8, 8))]
    for form in ("PNG", "GIF", "BMP"):
        data = packed(Image.fromarray(wanted).quantize(4), form)
        np.testing.assert_array_equal(read_picture(written(data), 8), wanted)


def test_what_is_transparent_is_white(written):
    clear = noise(8, 8, 4)
    clear[..., 3] = 0
    clear[:4, :, 3] = 255
    clear[4, :, 3] = 128
    expected = clear[..., :3].astype(int)
    expected[5:] = 255
    expected[4] = np.rint((clear[4, :, :3] * 128.0 + 255 * 127) / 255)
    for data in (packed(clear), packed(clear, "WEBP", lossless=True, exact=True)):
        assert abs(read_picture(written(data), 8) - expected).max() <= 1
    both = np.stack([noise(8, 8, 1), clear[..., 3]], axis=2)
    found = read_picture(written(packed(Image.fromarray(both, "LA"))), 8)
    np.testing.assert_array_equal(found[:4, :, 0], both[:4, :, 0])
    assert (found[5:] == 255).all()


def test_a_transparent_colour_is_white(written):
    flat = np.zeros((8, 8), np.uint8)
    flat[:4] = 1
    image = Image.fromarray(flat, "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    for form in ("PNG", "GIF"):
        found = read_picture(written(packed(image, form, transparency=0)), 8)
        assert (found[:4] == (200, 100, 50)).all()
        assert (found[4:] == 255).all()
    for bits, colour, rows, key in (
        (8, 0, b"\0\x05\x06", struct.pack(">H", 5)),
        (16, 0, b"\0\x05\x07\x06\x00", struct.pack(">H", 0x0507)),
        (8, 2, b"\0\x05\x05\x05\x06\x06\x06", struct.pack(">3H", 5, 5, 5)),
    ):
        data = png(2, 1, bits, colour, rows, chunk(b"tRNS", key))
        with Image.open(written(data)) as opened:
            assert "transparency" in opened.info
        found = read_picture(written(data), 2)[:, :, 0]
        # Two rows were made of one, which the filter leaves as it is.
        assert found.tolist() == [[255, 6]] * 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_a_turned_picture_is_turned_upright(written, orientation, form):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    corners = np.kron(np.array([[0, 80], [160, 240]], np.uint8), np.ones((12, 12), np.uint8))
    data = packed(np.repeat(corners[..., None], 3, axis=2), form, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_picture(written(data), 24), expected)
    assert read_picture(written(data), 24)[2, 2, 0] // 70 == [0, 0, 1, 3, 2, 0, 2, 3, 1][orientation]


def test_a_colour_print(written):
    data = packed(np.full((8, 8, 3), (255, 255, 255), np.uint8), "JPEG", mode="CMYK")
    assert read_picture(written(data), 8).min() > 250


def test_of_several_frames_it_is_the_first(written):
    frames = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200)]
    for form in ("GIF", "WEBP", "PNG"):
        file = io.BytesIO()
        frames[0].save(file, form, save_all=True, append_images=frames[1:])
        assert abs(read_picture(written(file.getvalue()), 8).astype(int) - 10).max() <= 2


@pytest.mark.parametrize(
    ("width", "height", "found"),
    [
        (20_000, 20_000, "400,000,000 pixels"),  # Pillow refuses these itself
        (10_000, 10_000, "10,000 x 10,000"),  # and warns of these
        (50_000_001, 1, "50,000,001 x 1"),
        (2**31 - 1, 2**31 - 1, "pixels"),
    ],
)
def test_too_many_pixels_are_refused_by_the_header(written, width, height, found):
    # There is nothing behind the header: decoding would find the file damaged.
    message = refusal(read_picture, written(png(width, height, 1, 0, b"")), 64)
    assert "at most 50,000,000 pixels" in message
    assert found in message


def test_a_whole_picture_of_too_many_pixels(written):
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(2501) * 100) for _ in range(200)) + packer.flush()
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0))
    data += chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    assert len(data) < 1_000_000
    assert "400,000,000" in refusal(read_picture, written(data), 64)


def test_just_few_enough_pixels(written, monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 480)
    assert read_picture(written(packed(noise(20, 24))), 8).shape == (8, 8, 3)
    assert "21 x 24" in refusal(read_picture, written(packed(noise(24, 21))), 8)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP"]
)
def test_what_is_no_picture(written, data):
    refusal(read_picture, written(data), 8)
    refusal(read_picture, written(data + bytes(50)), 8)


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_picture(tmp_path / "none.png", 8)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.png"):
        read_picture(tmp_path / "folder.png", 8)


@pytest.mark.parametrize("size", [0, -1, 8.0, True, None])
def test_a_size_is_a_positive_integer(written, size):
    with pytest.raises(InputError, match="size must be an integer of at least 1"):
        read_picture(written(packed(noise())), size)


def test_without_pillow(written, monkeypatch):
    path = written(packed(noise()))
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"pip install 'minirnn\[images\]'"):
        read_picture(path, 8)


def test_a_png_cut_anywhere(written):
    data = packed(noise(6, 6))
    for length in range(len(data)):
        refusal(read_picture, written(data[:length]), 6)
    assert read_picture(written(data), 6).shape == (6, 6, 3)
    assert read_picture(written(data + b"more"), 6).shape == (6, 6, 3)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_cut_in_half(written, suffix):
    data = packed(noise(40, 40), FORMATS[suffix])
    for length in range(0, len(data) // 2, 13):
        refusal(read_picture, written(data[:length]), 8)


@pytest.mark.parametrize("suffix", FORMATS)
def test_flipped_bytes_are_read_or_refused(written, suffix, capfd):
    rng, refused = np.random.default_rng(7), 0
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    image = Image.fromarray(noise())
    options = {"exif": exif} if suffix in ("png", "jpg", "webp") else {}
    data = packed(image.quantize(16) if suffix == "gif" else image, FORMATS[suffix], **options)
    for i in range(200):
        changed = bytearray(data)
        # Half of them near the beginning, where the headers are.
        for at in rng.integers(0, len(data) if i % 2 else min(len(data), 150), int(rng.integers(1, 6))):
            changed[at] = rng.integers(256)
        found = outcome(read_picture, written(bytes(changed)), 8)
        refused += found is None
        assert found is None or found.shape == (8, 8, 3)
    assert refused > 20
    assert capfd.readouterr() == ("", "")


def test_damaged_exif_does_not_warn(written):
    for tail in (b"", b"MM\0*", b"II*\0\x08\0\0\0\xff\xff", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\6\0"):
        outcome(read_picture, written(packed(noise(8, 8), "JPEG", exif=b"Exif\0\0" + tail)), 8)


# Frames


def level(value):
    return packed(np.full((9, 9, 3), value, np.uint8))


def test_frames_come_by_number(written, tmp_path):
    names = ["frame-10.png", "frame-2.PNG", "Frame-1.png", "frame-003.png", "10.png", "9.png", "a2b10.png", "a2b9.png"]
    for i, name in enumerate(names):
        written(level(i), name)
    found = read_frames(tmp_path, 8)
    assert found.shape == (8, 8, 8, 3)
    assert found.dtype == np.uint8
    assert [names[i] for i in found[:, 0, 0, 0]] == [
        *["9.png", "10.png", "a2b9.png", "a2b10.png"],
        *["Frame-1.png", "frame-2.PNG", "frame-003.png", "frame-10.png"],
    ]


def test_what_is_no_frame_is_passed_over(written, tmp_path):
    for suffix, form in FORMATS.items():
        written(packed(noise(), form), f"1.{suffix}")
    written(packed(noise(), "JPEG"), "2.JPEG")
    for name in ("Thumbs.db", "notes.txt", "png", ".png", "._1.png", "folder.png/3.png"):
        written(b"no picture", name)
    assert read_frames(str(tmp_path), 8).shape == (6, 8, 8, 3)


def test_a_folder_without_frames(written, tmp_path):
    assert ".png" in refusal(read_frames, tmp_path, 8)
    written(b"", "a.txt")
    assert "found none" in refusal(read_frames, tmp_path, 8)
    with pytest.raises(FileNotFoundError):
        read_frames(tmp_path / "none", 8)
    with pytest.raises(NotADirectoryError):
        read_frames(tmp_path / "a.txt", 8)


def test_a_frame_that_is_damaged_is_named(written, tmp_path):
    written(level(1), "1.png")
    written(level(1)[:-20], "2.png")
    with pytest.raises(InputError, match=r"2\.png: damaged picture"):
        read_frames(tmp_path, 8)


def test_too_many_frames(written, tmp_path):
    for i in range(1001):
        written(b"never read", f"{i}.png")
    assert "at most 1,000 pictures, found 1,001" in refusal(read_frames, tmp_path, 8)


# Captions


def test_captions(written):
    text = "b.png\ta cat\n\n a/c.jpg \t a  dog \r\nb.png\tone more cat\n \t \n./b.png\ta cat"
    found = read_captions(written(text.encode(), "captions.tsv"))
    assert found == {"b.png": ["a cat", "one more cat", "a cat"], "a/c.jpg": ["a  dog"]}
    assert list(found) == ["b.png", "a/c.jpg"]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("b.png a cat", "a tab"),
        ("b.png\t", "a tab"),
        ("b.png\t \t", "a tab"),
        ("\ta cat", "a tab"),
        ("b.png\ta cat\tand more", "a tab"),
        ("b.png\ta cat\t", "a tab"),
        ("/b.png\ta cat", "inside the folder"),
        ("../b.png\ta cat", "inside the folder"),
        ("a/../b.png\ta cat", "inside the folder"),
        ("..\ta cat", "inside the folder"),
        (".\ta cat", "inside the folder"),
    ],
)
def test_a_line_that_is_no_caption(written, line, wanted):
    message = refusal(read_captions, written(f"a.png\tgood\n\n{line}\n".encode(), "captions.tsv"))
    assert "captions.tsv line 3: expected a file name" in message
    assert wanted in message


def test_captions_are_text(written, tmp_path):
    assert "found none" in refusal(read_captions, written(b"\n \n", "captions.tsv"))
    assert "line 2: expected UTF-8" in refusal(read_captions, written(b"a.png\tb\nb.png\t\xff\n", "captions.tsv"))
    with pytest.raises(FileNotFoundError):
        read_captions(tmp_path / "none.tsv")
    with pytest.raises(IsADirectoryError):
        read_captions(tmp_path)
    assert read_captions(written("..a.png\t…and.. so".encode(), "captions.tsv")) == {"..a.png": ["…and.. so"]}


# Preprocessing


def test_preprocessing_gives_mean_0_and_deviation_1():
    pictures = noise(40, 8).reshape(5, 8, 8, 3) // np.array([1, 2, 3], np.uint8)
    found = Preprocessing.of(pictures)
    assert found.size == 8
    scaled = pictures.reshape(-1, 3) / 255
    np.testing.assert_allclose(found.mean, scaled.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, scaled.std(axis=0), rtol=1e-12)
    assert all(type(value) is float for value in found.mean + found.std)
    prepared = found.prepare(pictures)
    assert prepared.shape == (5, 3, 8, 8)
    assert prepared.dtype == np.float32
    assert prepared.flags.c_contiguous
    np.testing.assert_allclose(prepared.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.std(axis=(0, 2, 3)), 1, rtol=1e-5)
    expected = (pictures / 255 - found.mean) / found.std
    np.testing.assert_allclose(prepared, np.moveaxis(expected, -1, 1), atol=1e-5)


def test_one_picture_videos_and_none():
    found = Preprocessing(8, (0.5, 0.4, 0.3), (0.2, 0.1, 0.3))
    video = noise(8 * 6, 8).reshape(2, 3, 8, 8, 3)
    prepared = found.prepare(video)
    assert prepared.shape == (2, 3, 3, 8, 8)
    assert prepared.flags.c_contiguous
    np.testing.assert_array_equal(prepared[1, 2], found.prepare(video[1, 2]))
    assert found.prepare(video[:0]).shape == (0, 3, 3, 8, 8)


def test_plain_pictures_are_divided_by_one_step():
    found = Preprocessing.of(np.full((2, 8, 8, 3), 77, np.uint8))
    assert found.std == (1 / 255,) * 3
    assert abs(found.prepare(np.full((1, 8, 8, 3), 77, np.uint8))).max() < 1e-4
    np.testing.assert_allclose(found.prepare(np.full((1, 8, 8, 3), 78, np.uint8)), 1, atol=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 8, 9, 3), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
    ],
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(InputError, match="expected pictures"):
        Preprocessing.of(wrong)
    with pytest.raises(InputError, match=r"expected pictures \(\.\.\., 8, 8, 3\) of uint8"):
        Preprocessing(8, (0.5,) * 3, (0.5,) * 3).prepare(wrong)


def test_there_is_no_mean_of_no_picture():
    for wrong in (np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 0, 0, 3), np.uint8)):
        with pytest.raises(InputError, match="found none"):
            Preprocessing.of(wrong)


def test_preprocessing_comes_back_from_json():
    found = Preprocessing.of(noise(16, 8).reshape(2, 8, 8, 3))
    assert Preprocessing.from_json(json.loads(json.dumps(found.to_json()))) == found
    for size in (8, 512):
        assert Preprocessing.from_json({**found.to_json(), "size": size}).size == size


@pytest.mark.parametrize(
    "damage",
    [
        *({"size": size} for size in (7, 513, 0, -8, 8.0, "8", None, True, [8])),
        *({"mean": [0.5, 0.5, value]} for value in (math.nan, math.inf, -math.inf, "0", None, 1e300, [0.5], True)),
        *({"std": [0.5, 0.5, value]} for value in (math.nan, math.inf, 0, 0.0, -0.5, "1", None, 1e-300)),
        *({name: value} for name in ("mean", "std") for value in ([], [0.5] * 2, [0.5] * 4, 0.5, None, "abc", {})),
    ],
)
def test_damaged_preprocessing(damage):
    good = Preprocessing(8, (0.5,) * 3, (0.5,) * 3).to_json()
    with pytest.raises((ValueError, TypeError)):
        Preprocessing.from_json({**good, **damage})


def test_missing_preprocessing():
    good = Preprocessing(8, (0.5,) * 3, (0.5,) * 3).to_json()
    for name in good:
        with pytest.raises(KeyError):
            Preprocessing.from_json({key: value for key, value in good.items() if key != name})
    for wrong in (None, [], 3, "size"):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Preprocessing.from_json(wrong)
