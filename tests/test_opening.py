"""Pictures of every format, depth and colour space come out as a viewer shows them, or are refused in a sentence."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from course_lib.own import opening
from course_lib.own.houses import scene
from course_lib.own.opening import BadPicture, prepare, read_picture

RED, WHITE, GREEN, BRICK = (255, 0, 0), (255, 255, 255), (0, 255, 0), (200, 60, 40)
RAMP = np.linspace(0, 1, 16)[None].repeat(16, 0)  # black on the left, white on the right


def stripes(width, height, **colours):
    """A picture whose middle square is red, with green to both sides."""
    image = Image.new("RGB", (width, height), GREEN)
    side = min(width, height)
    image.paste(RED, ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2))
    return image


def opened(image, path, **how):
    """A picture written with Pillow and read again: x0 of 8 x 8 pixels, and what is odd."""
    image.save(path, **how)
    x0, _, odd = read_picture(path, 8)
    return x0, odd


@pytest.mark.parametrize(("width", "height", "across"), [(40, 20, False), (20, 40, True), (4000, 2000, False)])
def test_padding_keeps_all_of_a_picture_in_the_middle_of_white(width, height, across, tmp_path):
    image = stripes(width, height)
    x0 = prepare(image, 16, fit="pad")
    x0 = x0.transpose(-1, -2) if across else x0
    assert (x0[:, :4] == 1).all() and (x0[:, 12:] == 1).all() and not (x0[:, 4:12] == 1).all(dim=0).any()
    whole = prepare(image.resize((16, 16), Image.Resampling.BOX), 16)
    whole = whole.transpose(-1, -2) if across else whole
    assert torch.allclose(x0[:, 4:12].mean(dim=(1, 2)), whole.mean(dim=(1, 2)), atol=0.05)  # its sides are there too
    image.save(tmp_path / "wide.png")
    again, side, _ = read_picture(tmp_path / "wide.png", 16, "pad")
    assert torch.equal(again.transpose(-1, -2) if across else again, x0) and side == max(width, height)


def test_padding_changes_no_square_picture_and_draws_the_thinnest_one():
    square = stripes(24, 24)
    assert torch.equal(prepare(square, 16, fit="pad"), prepare(square, 16))
    thin = prepare(Image.new("RGB", (1, 3000), "black"), 8, fit="pad")
    assert (thin == -1).all(dim=0).any(dim=0).sum() == 1 and (thin == 1).all(dim=0).any(dim=0).sum() == 7


def test_another_way_to_make_a_picture_square_is_refused():
    with pytest.raises(ValueError, match="fit must be 'crop' or 'pad', not 'stretch'"):
        prepare(stripes(24, 24), 16, fit="stretch")


def middle(x0):
    """The colour in the middle, in bytes."""
    return [round(value) for value in ((x0[:, 4, 4] + 1) * 127.5).tolist()]


def png(depth, colour, row, **more):
    """The bytes of a PNG file that Pillow does not write: 16 equal rows, with other parts, such as tRNS."""
    head = struct.pack(">IIBBBBB", 16, 16, depth, colour, 0, 0, 0)
    parts = {"IHDR": head, **more, "IDAT": zlib.compress((b"\0" + row) * 16), "IEND": b""}
    named = [(name.encode() + part, len(part)) for name, part in parts.items()]
    chunks = [struct.pack(">I", length) + part + struct.pack(">I", zlib.crc32(part)) for part, length in named]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def fixed(*numbers):
    """Numbers as a colour profile holds them, in 1/65536."""
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def point(*xyz):
    return b"XYZ " + bytes(4) + fixed(*xyz)


def curve(gamma):
    return b"para" + bytes(8) + fixed(gamma)


def profile(space, between, kind, **parts):
    """The bytes of a colour profile. Source: ICC.1:2022, 7.2, 7.3 and 10."""
    parts["wtpt"] = point(0.9642, 1, 0.8249)
    table, data, at = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for name, part in parts.items():
        table += name.encode() + struct.pack(">II", at + len(data), len(part))
        data += part + bytes(-len(part) % 4)
    head = bytes(8) + b"\4\x30\0\0" + kind + space + between + bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249)
    return struct.pack(">I", at + len(data)) + head.ljust(128, b"\0")[4:] + table + data


DISPLAY_P3 = profile(  # its primaries, with gamma 2.2, which comes near to its own curve
    *(b"RGB ", b"XYZ ", b"mntr"),
    **dict.fromkeys(("rTRC", "gTRC", "bTRC"), curve(2.2)),
    **{"rXYZ": point(0.5151, 0.2412, -0.0011), "gXYZ": point(0.292, 0.6922, 0.0419)},
    bXYZ=point(0.1571, 0.0666, 0.7841),
)
LINEAR_GREY = profile(b"GRAY", b"XYZ ", b"mntr", kTRC=curve(1.0))
SAME = bytes(range(256))
INKS = bytes([255, 128, 128, *[0, 128, 128] * 7, *[128, 128, 128], *[0, 128, 128] * 7])  # Lab; cyan alone is half grey
GREY_INK = profile(
    *(b"CMYK", b"Lab ", b"prtr"),
    A2B0=b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + SAME * 4 + INKS + SAME * 3,
)


def test_the_middle_square_is_kept():
    for size in ((90, 30), (30, 90), (31, 30), (64, 64)):
        x0 = prepare(stripes(*size), 16)
        assert x0.shape == (3, 16, 16) and (x0[0] > 0.99).all() and (x0[1] < -0.99).all()


@pytest.mark.parametrize(
    ("image", "size", "said"),
    [
        (Image.new("RGB", (0, 0)), 8, "The picture has no pixels: it is 0 x 0"),
        (Image.new("L", (3, 0)), 8, "The picture has no pixels: it is 3 x 0"),
        (Image.new("F", (0, 3)), 8, "The picture has no pixels: it is 0 x 3"),
        (None, 8, "needs an image, such as .* not NoneType"),
        ("cat.png", 8, "needs an image, such as .* not str"),
        (Image.new("L", (3, 3)), 0, "size must be a whole number of pixels, 1 or more, not 0"),
        (Image.new("L", (3, 3)), 8.0, "size must be a whole number of pixels, 1 or more, not 8.0"),
    ],
)
def test_what_cannot_be_prepared_is_refused_in_a_sentence(image, size, said):
    with pytest.raises((ValueError, TypeError), match=said):
        prepare(image, size)


def test_making_small_averages_and_does_not_skip():
    board = np.indices((64, 64)).sum(0) % 2 * 255  # a chessboard of single pixels: grey from afar
    assert prepare(Image.fromarray(board.astype(np.uint8)), 16)[:, 2:-2, 2:-2].abs().max() < 0.05


def test_values_reach_both_ends_and_no_further():
    image = Image.new("L", (64, 64))
    image.paste(255, (32, 0, 64, 64))
    x0 = prepare(image, 32)
    assert x0.min() == -1 and x0.max() == 1 and torch.equal(x0[0], x0[2])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"])
def test_every_kind_of_picture_is_made_three_colours(mode):
    white = Image.fromarray(np.full((20, 20), 65535, dtype=np.uint16))
    white = white.convert(mode) if mode.startswith("I") else Image.new("RGB", (20, 20), WHITE).convert(mode)
    white.load()
    x0 = prepare(white, 8)
    assert x0.shape == (3, 8, 8) and (x0 > 0.98).all()


def test_grey_in_sixteen_bits_keeps_its_greys():
    x0 = prepare(Image.fromarray(np.full((20, 20), 32768, dtype=np.uint16)), 8)
    assert x0.abs().max() < 0.01


def test_what_is_transparent_becomes_white():
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert (prepare(image, 8) == 1).all()
    half = Image.new("RGBA", (20, 20), (255, 0, 0, 128))
    torch.testing.assert_close(prepare(half, 8)[:, 4, 4], torch.tensor([1.0, 0, 0]), atol=0.01, rtol=0)
    palette = Image.new("P", (20, 20), 0)
    palette.info["transparency"] = 0
    assert (prepare(palette, 8) == 1).all()


def test_a_photograph_taken_upright_is_turned(tmp_path):
    image = Image.new("RGB", (64, 64), RED)
    image.paste(GREEN, (0, 0, 64, 32))  # green above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    image.save(tmp_path / "photo.png", exif=exif)
    x0 = prepare(Image.open(tmp_path / "photo.png"), 16)
    assert (x0[1, :, 12:] > 0.9).all() and (x0[0, :, :4] > 0.9).all()


def test_a_large_photograph_is_like_itself_made_small(tmp_path):
    big = scene("boat", "red", "by day", torch.Generator().manual_seed(0)).resize((1600, 1200))
    plain, _ = opened(big.resize((64, 48), Image.Resampling.BOX), tmp_path / "small.png")
    for name in ("big.png", "big.jpg"):
        assert (opened(big, tmp_path / name, quality=95)[0] - plain).abs().mean() < 0.03


@pytest.mark.parametrize(
    ("name", "values", "how"),
    [
        ("f.tif", RAMP.astype(np.float32), {}),
        ("f.tif", (10 * RAMP - 5).astype(np.float32), {}),
        ("f.tif", (30 * RAMP + 300).astype(np.float32), {}),
        ("nan.tif", RAMP.astype(np.float32), {}),
        ("nan.tif", (10 * RAMP - 5).astype(np.float32), {}),
        ("i.tif", (1e6 * RAMP).astype(np.int32), {}),
        ("i.tif", (-70_000 * (1 - RAMP)).astype(np.int32), {}),
        ("12.tif", (4095 * RAMP).astype(np.uint16), {}),
        ("10.tif", (1023 * RAMP).astype(np.uint16), {}),
        ("16.tif", (65535 * RAMP).astype(np.uint16), {}),
        ("negative.tif", (65535 * (1 - RAMP)).astype(np.uint16), {"tiffinfo": {262: 0}}),
        ("16.png", (65535 * RAMP).astype(np.uint16), {}),
        ("8.png", (255 * RAMP).astype(np.uint8), {}),
    ],
)
def test_grey_of_any_depth_goes_from_black_to_white(tmp_path, name, values, how):
    if name == "nan.tif":
        values = values.copy()
        values[0, 3], values[1, 3], values[2, 3] = np.nan, np.inf, -np.inf
    x0, odd = opened(Image.fromarray(values), tmp_path / name, **how)
    expected = prepare(Image.fromarray((255 * RAMP).round().astype(np.uint8)), 8)
    assert odd == [] and (x0 - expected)[:, 2:].abs().max() < 0.02


@pytest.mark.parametrize("level", [0.25, 0.5])
def test_values_whose_meaning_the_format_says_are_not_stretched(tmp_path, level):
    for name, values in (("f.tif", np.float32(level)), ("16.png", np.uint16(level * 65535))):
        x0, _ = opened(Image.fromarray(np.full((16, 16), values)), tmp_path / name)
        torch.testing.assert_close(x0, torch.full_like(x0, 2 * level - 1), atol=0.01, rtol=0)


def test_a_picture_that_is_dark_because_it_fills_few_of_its_bits_is_noted(tmp_path):
    dark = Image.fromarray((4095 * RAMP).astype(np.uint16))
    x0, odd = opened(dark, tmp_path / "dark.png")
    assert x0.max() < -0.85 and odd == [opening.DARK]
    assert opened(Image.fromarray(np.zeros((9, 9), np.uint16)), tmp_path / "black.png")[1] == []


def test_no_finite_value_is_black():
    assert (prepare(Image.fromarray(np.full((9, 9), np.nan, np.float32)), 8) == -1).all()


@pytest.mark.parametrize(
    ("depth", "colour", "row", "clear"),
    [
        (1, 0, b"\0\0", b"\0\0"),
        (2, 0, b"\x55" * 4, b"\0\1"),
        (4, 0, b"\x55" * 8, b"\0\5"),
        (8, 0, b"\7" * 16, b"\0\7"),
        (16, 0, b"\7\x10" * 16, b"\7\x10"),
        (8, 2, b"\7\x08\x09" * 16, b"\0\7\0\x08\0\x09"),
        (16, 2, b"\7\x10\1\0\xff\xff" * 16, b"\7\x10\1\0\xff\xff"),
    ],
)
def test_the_one_transparent_colour_of_a_png_becomes_white(tmp_path, depth, colour, row, clear):
    (tmp_path / "clear.png").write_bytes(png(depth, colour, row, tRNS=clear))
    assert (read_picture(tmp_path / "clear.png", 8)[0] == 1).all()
    (tmp_path / "opaque.png").write_bytes(png(depth, colour, row, tRNS=b"\0\2" * (len(clear) // 2)))
    assert (read_picture(tmp_path / "opaque.png", 8)[0].amin(dim=0) < 0).all()


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_an_alpha_channel_of_zeros_is_white(mode):
    assert (prepare(Image.new(mode, (20, 20)), 8) == 1).all()


@pytest.mark.parametrize(
    ("name", "mode", "how"),
    [
        ("c.png", "RGB", {}),
        ("c.bmp", "RGB", {}),
        ("c.webp", "RGB", {"lossless": True}),
        ("c.gif", "P", {}),
        ("p.png", "P", {}),
        ("c.jp2", "RGB", {}),
        ("c.jpg", "RGB", {"quality": 95}),
        ("c.jpg", "RGB", {"progressive": True}),
        ("c.jpg", "CMYK", {"quality": 95}),
        ("c.tif", "RGB", {"compression": "tiff_lzw"}),
        ("c.tif", "CMYK", {}),
        ("c.tif", "YCbCr", {"compression": "jpeg", "quality": 95}),
        ("c.tif", "LAB", {}),
        ("c.tif", "P", {}),
        ("c.jpg", "MPO", {}),
    ],
)
@pytest.mark.parametrize("size", [(16, 16), (1, 1), (1, 3000), (3000, 1)])
def test_a_colour_is_the_same_in_every_format(tmp_path, name, mode, how, size):
    image = Image.new("RGB", size, BRICK)
    if mode == "LAB":
        srgb, lab = (ImageCms.createProfile(space) for space in ("sRGB", "LAB"))
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    elif mode == "MPO":  # a telephone's JPEG with a second picture in it
        how = {"format": "MPO", "save_all": True, "append_images": [image]}
    elif mode == "P":
        image = image.quantize(4)
    else:
        image = image.convert(mode)
    x0, odd = opened(image, tmp_path / name, **how)
    assert odd == [] and np.abs(np.subtract(middle(x0), BRICK)).max() <= 3


@pytest.mark.parametrize("name", ["t.png", "t.jpg", "t.tif", "t.webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_its_camera_says(tmp_path, name, turn):
    image = Image.new("RGB", (64, 48), RED)
    image.paste(GREEN, (0, 0, 64, 24))
    image.paste((0, 0, 255), (0, 0, 32, 24))  # blue in the corner at the top left
    exif = Image.Exif()
    exif[0x0112] = turn
    x0, _ = opened(image, tmp_path / name, exif=exif)
    rows, columns = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[turn]
    corner = x0[:, 5 * rows : 5 * rows + 3, 5 * columns : 5 * columns + 3].mean(dim=(1, 2))
    assert corner[2] > 0.5 and corner[0] < -0.5 and corner[1] < -0.5


def test_a_damaged_remark_beside_the_pixels_does_no_harm(tmp_path):
    x0, odd = opened(Image.new("RGB", (16, 16), BRICK), tmp_path / "c.png", exif=b"Exif\0\0garbage")
    assert middle(x0) == [*BRICK] and odd == []


# colour profiles


@pytest.mark.parametrize("name", ["c.png", "c.webp", "c.tif"])
def test_a_colour_profile_is_followed(tmp_path, name):
    how = {"lossless": True} if name == "c.webp" else {}
    x0, odd = opened(Image.new("RGB", (16, 16), BRICK), tmp_path / name, icc_profile=DISPLAY_P3, **how)
    assert odd == [] and np.abs(np.subtract(middle(x0), (219, 37, 13))).max() <= 4
    clear = Image.new("RGBA", (16, 16), (*BRICK, 0))
    assert (opened(clear, tmp_path / name, icc_profile=DISPLAY_P3)[0] > 0.99).all()
    palette = Image.new("RGB", (16, 16), BRICK).quantize(4)
    assert middle(opened(palette, tmp_path / "p.png", icc_profile=DISPLAY_P3)[0]) == middle(x0)


def test_a_profile_for_greys_is_followed(tmp_path):
    for image in (Image.new("L", (16, 16), 128), Image.fromarray(np.full((16, 16), 32896, np.uint16))):
        x0, odd = opened(image, tmp_path / "g.png", icc_profile=LINEAR_GREY)
        assert odd == [] and np.abs(np.subtract(middle(x0), 188)).max() <= 1  # half the light


def test_a_profile_for_inks_is_followed(tmp_path):
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert middle(opened(cyan, tmp_path / "c.tif")[0]) == [0, 255, 255]
    x0, odd = opened(cyan, tmp_path / "c.tif", icc_profile=GREY_INK)
    assert odd == [] and np.abs(np.subtract(middle(x0), 119)).max() <= 3  # half of L* in sRGB


@pytest.mark.parametrize(
    ("mode", "broken"), [("RGB", b"junk"), ("RGB", DISPLAY_P3[:200]), ("RGB", LINEAR_GREY), ("CMYK", DISPLAY_P3)]
)
def test_a_profile_that_does_not_fit_is_ignored_and_noted(tmp_path, mode, broken):
    image = Image.new("RGB", (16, 16), BRICK).convert(mode)
    x0, odd = opened(image, tmp_path / "c.tif", icc_profile=broken)
    assert middle(x0) == [*BRICK] and odd == [opening.UNFIT]


SRGB_POINTS, P3_POINTS = (
    struct.pack(">8I", 31270, 32900, *points, 15000, 6000)
    for points in ((64000, 33000, 30000, 60000), (68000, 32000, 26500, 69000))
)
GAMMA, LINEAR = (struct.pack(">I", gamma) for gamma in (45455, 100_000))


@pytest.mark.parametrize(
    ("noted", "parts"),
    [
        (True, {"cICP": b"\x0c\x0d\0\1"}),  # Display P3
        (True, {"sRGB": b"\0", "cICP": b"\x09\x10\0\1"}),  # what comes first in the standard counts
        (False, {"gAMA": LINEAR, "cICP": b"\1\x0d\0\1"}),
        (True, {"gAMA": LINEAR}),
        (True, {"gAMA": GAMMA, "cHRM": P3_POINTS}),
        (False, {"gAMA": GAMMA, "cHRM": SRGB_POINTS}),
        (False, {"sRGB": b"\0", "gAMA": LINEAR}),
        (False, {"gAMA": bytes(4)}),
        (False, {"iCCP": b"P3\0\0" + zlib.compress(DISPLAY_P3), "cICP": b"\x0c\x0d\0\1"}),
    ],
)
def test_colours_said_without_a_profile_are_noted(tmp_path, noted, parts):
    (tmp_path / "c.png").write_bytes(png(8, 2, bytes(BRICK) * 16, **parts))
    assert read_picture(tmp_path / "c.png", 8)[2] == [opening.OTHER] * noted


@pytest.mark.parametrize("name", ["c.jpg", "c.webp"])
@pytest.mark.parametrize(("index", "noted"), [("R98", False), ("R03", True)])
def test_colours_that_a_camera_says_without_a_profile_are_noted(tmp_path, name, index, noted):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: index}
    image = Image.new("RGB", (16, 16), BRICK)
    assert opened(image, tmp_path / name, exif=exif)[1] == [opening.OTHER] * noted
    assert opened(image, tmp_path / name, exif=exif, icc_profile=DISPLAY_P3)[1] == []


def test_greys_have_no_primaries_but_a_gamma(tmp_path):
    for parts, noted in (({"cHRM": P3_POINTS}, []), ({"gAMA": LINEAR}, [opening.OTHER])):
        (tmp_path / "g.png").write_bytes(png(8, 0, b"\7" * 16, **parts))
        assert read_picture(tmp_path / "g.png", 8)[2] == noted


# files


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_of_several_frames_the_first_is_taken_and_the_rest_noted(tmp_path, name):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (BRICK, GREEN)]
    how = {"lossless": True} if name == "a.webp" else {}
    x0, odd = opened(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], **how)
    assert middle(x0) == [*BRICK] and odd == [opening.ANIMATED]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "holds a PostScript drawing"),
        (b"%PDF-1.7", "holds a PDF page"),
        (b"\0\0\0\x18ftypheic", "holds a HEIC picture"),
        (b"\0\0\0\x18ftypisom", "holds a film"),
        (b"P6 1 1 255 abc", "is no picture that can be opened"),
        (b"", "is no picture that can be opened"),
    ],
)
def test_what_is_no_picture_of_ours_is_named_whatever_its_ending(tmp_path, content, said):
    (tmp_path / "cat.png").write_bytes(content)
    with pytest.raises(BadPicture, match=f"^{said}.*Save it as PNG or JPEG"):
        read_picture(tmp_path / "cat.png", 8)


def test_a_jpeg_that_is_called_png_is_opened_as_viewers_do(tmp_path):
    x0, _ = opened(Image.new("RGB", (16, 16), BRICK), tmp_path / "cat.png", format="JPEG", quality=95)
    assert np.abs(np.subtract(middle(x0), BRICK)).max() <= 3


def test_numbers_that_pillow_does_not_take_are_a_tiff_of_an_unusual_kind(tmp_path):
    image, file = Image.new("RGB", (4, 4)), io.BytesIO()
    image.save(file, "TIFF", tiffinfo={339: 3})  # colours as floating numbers
    (tmp_path / "c.tif").write_bytes(file.getvalue())
    with pytest.raises(BadPicture, match="^holds a TIFF of an unusual kind, which cannot be opened"):
        read_picture(tmp_path / "c.tif", 8)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_an_enormous_picture_needs_little_more_memory_than_its_pixels(tmp_path, mode):
    program = """if True:
        import resource, sys
        from pathlib import Path
        from course_lib.own.opening import read_picture
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read_picture(Path(sys.argv[1]), 32)
        unit = 2**20 if sys.platform == "darwin" else 2**10  # to MB
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // unit)
    """
    pytest.importorskip("resource")  # Windows has none
    path = tmp_path / "big.png"
    Image.new(mode, (6000, 6000)).save(path, compress_level=1)  # 144 or 72 MB of pixels
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300
