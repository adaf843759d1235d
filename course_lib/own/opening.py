"""One picture file of any kind, made what a viewer shows of it, then small and square, ready to train on."""

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, UnidentifiedImageError
from torch import Tensor

SIZE = 32  # side of a training picture in pixels
FITS = ("crop", "pad")  # to a square
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF")  # no others are tried: some run programs
ENDINGS = {  # of files that people call pictures, whether or not they can be opened
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".jif", ".jfi", ".mpo", ".jps", ".pns", ".insp", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm", ".jph"),
    *(".jxl", ".jxr", ".wdp", ".hdp", ".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif", ".qoi", ".bpg"),
    *(".ico", ".cur", ".icns", ".svg", ".svgz", ".eps", ".ai", ".wmf", ".emf", ".psd", ".psb", ".xcf", ".kra", ".ora"),
    *(".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".exr", ".hdr", ".dds", ".sgi", ".ras", ".fits"),
    *(".xbm", ".xpm", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".srw", ".orf", ".pef"),
    *(".rw2", ".rwl", ".raf", ".raw", ".3fr", ".fff", ".iiq", ".mrw", ".x3f", ".erf", ".kdc", ".dcr", ".mef", ".mos"),
}
STARTS = {  # of files of other kinds, however they are named
    b"%PDF": "a PDF page",
    b"%!PS": "a PostScript drawing",
    b"8BPS": "a Photoshop file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an SVG drawing or other XML",
    b"<!": "a web page",
    b"PK\x03\x04": "a ZIP archive",
    b"\0\0\1\0": "an icon",
    b"\xff\n": "a JPEG XL picture",
    b"ftypavif": "an AVIF picture",
    b"ftyphe": "a HEIC picture",
    b"ftypmif": "a HEIC picture",
    b"ftyp": "a film",
    b"II*\0": "a TIFF of an unusual kind",
    b"MM\0*": "a TIFF of an unusual kind",
}
TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}  # by what EXIF says
TURNS |= {6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}
DEPTHS = (255, 1023, 4095, 16383, 65535)  # the largest value of 8, 10, 12, 14 and 16 bits
ANIMATED = "Only the first frame or page was taken of {}."
UNFIT = "A colour profile that is damaged, or made for another kind of picture, was ignored in {}."
OTHER = "Colours that are said without a profile, other than those of a screen (sRGB), were taken for those in {}."
DARK = "Nearly black are 16-bit values of 4095 at most, as in {}. Save with brighter ones, if they should not be."
BITS, WHITE_IS_ZERO = 258, 262  # numbers of TIFF tags: bits of a sample; whether 0 is white
SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # x and y of its white, red, green and blue
SRGB_CODE = (1, 13)  # its primaries and its curve. Source: ITU-T H.273, tables 2 and 3
BAND = 2**20  # pixels that are worked on at once


class BadPicture(ValueError):
    """A picture that cannot be used: of which `kind` its fault is, and what is said after the file's name."""

    def __init__(self, kind: str, said: str):
        super().__init__(said)
        self.kind = kind


def crop_and_scale(pixels: Tensor) -> Tensor:
    """Cut the largest square out of the middle and scale bytes to [-1, 1]: x0 = pixels / 127.5 - 1.

    pixels are (3, H, W) uint8, x0 is (3, S, S) float32 in [-1, 1], with S = min(H, W). Of an odd rest, the larger half
    is cut off at the bottom or on the right.
    """
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side].float() / 127.5 - 1


def prepare(image: Image.Image, size: int = SIZE, fit: str = "crop") -> Tensor:
    """Any picture to a square one for training: turned upright, on white, in colour, centre-cropped, resized.

    With fit="pad" nothing is cut off: what a picture lacks of a square is white, on both sides.

    The resizing averages over the pixels that become one (antialiasing), so that thin lines fade and do not flicker.
    The image may have any mode and size; x0 is (3, size, size) float32 in [-1, 1]. A colour profile is followed if it
    fits. Grey in more than 8 bits is scaled as its format says, or else from its lowest value to its highest.
    Raises TypeError if it is no image of Pillow, ValueError if it has no pixels, if size is no whole number above 0, or
    if fit is another word.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(f"prepare needs an image, such as Image.open('cat.png'), not {type(image).__name__}.")
    if type(size) is not int or size < 1:
        raise ValueError(f"size must be a whole number of pixels, 1 or more, not {size!r}.")
    check_fit(fit)
    return _prepare(image, size, fit)[0]


def check_fit(fit: str) -> None:
    """Refuse, with a ValueError, what is no way to make a picture square."""
    if fit not in FITS:
        raise ValueError(f"fit must be {' or '.join(map(repr, FITS))}, not {fit!r}.")


def _prepare(image: Image.Image, size: int, fit: str = "crop") -> tuple[Tensor, list[str]]:
    """See `prepare`; also what is odd, as notes that lack the name of the picture."""
    _scale_transparency(image)
    image.load()  # before, not all formats know how the picture is to be turned
    odd = []
    if not min(image.size):
        raise ValueError(f"The picture has no pixels: it is {image.width} x {image.height}. Take another one.")
    ends = black, white = _ends(image) if _is_deep(image) else (0, 255)
    if white - black == DEPTHS[-1] and 0 < _extremes(image)[1] <= DEPTHS[2]:
        odd.append(DARK)
    wide, high = (min(image.size),) * 2 if fit == "crop" else image.size
    left, top = (image.width - wide) // 2, (image.height - high) // 2  # whole pixels, where ImageOps.fit cuts them
    step = max(1, max(wide, high) // (8 * size))  # of a large one, step x step pixels are averaged first, by bands
    part = None
    for y, band in _bands(image, (left, top, left + wide, top + high), step):
        band = _in_bytes(band, *ends).reduce(step)
        part = part or Image.new(band.mode, (-(-wide // step), -(-high // step)))
        part.paste(band, (0, y // step))
    try:
        part = _in_srgb(part, image.info.get("icc_profile"), image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, ImportError):
        odd.append(UNFIT)
        part = _in_srgb(part, None, image.mode)
    sides = [max(1, round(size * side / max(wide, high))) for side in (wide, high)]
    small = part.resize(sides, Image.Resampling.BICUBIC, box=(0, 0, wide / step, high / step))
    if sides != [size, size]:
        square = Image.new("RGB", (size, size), "white")
        square.paste(small, [(size - side) // 2 for side in sides])
        small = square
    if turn := TURNS.get(_orientation(image)):
        small = small.transpose(Image.Transpose[turn])
    return crop_and_scale(torch.from_numpy(np.array(small)).permute(2, 0, 1)), odd


def _scale_transparency(image: Image.Image) -> None:
    """Bring the one transparent colour of a PNG file to the 8 bits that Pillow makes of its pixels.

    In a file of 2, 4 or 16 bits it has as many bits as the pixels have there, which Pillow leaves so.
    """
    clear = image.info.get("transparency")
    stored = image.tile[0][3] if getattr(image, "tile", None) else ""
    if stored in ("L;2", "L;4") and isinstance(clear, int):
        image.info["transparency"] = clear * (85 if stored == "L;2" else 17)
    elif stored == "RGB;16B" and clear:
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def _orientation(image: Image.Image) -> int:
    """How a camera was held, which it says beside the pixels: 1 is upright."""
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # a damaged remark is no reason to refuse the picture
        return 1


def _is_deep(image: Image.Image) -> bool:
    """Whether it is grey in more than 8 bits, which Pillow would clip at 255."""
    return image.mode.startswith("I") or image.mode == "F"


def _bands(image: Image.Image, box: Sequence[int], step: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """A part of a picture, cut into bands of whole steps that need little memory; each with the row where it begins."""
    left, top, right, bottom = box
    rows = step * max(1, BAND // ((right - left) * step))
    for y in range(top, bottom, rows):
        yield y - top, image.crop((left, y, right, min(y + rows, bottom)))


def _extremes(image: Image.Image) -> tuple[float, float]:
    """The lowest and the highest number in a deep picture; 0 and 0 if there is none."""
    found = []
    for _, band in _bands(image, (0, 0, *image.size)):
        values = np.asarray(band)
        if (values := values[np.isfinite(values)]).size:
            found += [float(values.min()), float(values.max())]
    return (min(found), max(found)) if found else (0.0, 0.0)


def _ends(image: Image.Image) -> tuple[float, float]:
    """The numbers that stand for black and white in a deep picture."""
    if image.format in ("PNG", "JPEG2000"):  # only these say it: all of 16 bits
        return 0, DEPTHS[-1]
    tags = getattr(image, "tag_v2", {})
    low, high = _extremes(image)
    if image.mode.startswith("I;16"):  # often 12 bits, stored in 16
        bits = tags.get(BITS, (16,))[0]
        low, high = 0, 2**bits - 1 if bits < 16 else next(top for top in DEPTHS if high <= top)
    elif low == high or (image.mode == "F" and low >= 0 and high <= 1):
        low, high = min(low, 0), max(high, 1)
    return (high, low) if tags.get(WHITE_IS_ZERO) == 0 else (low, high)


def _in_bytes(band: Image.Image, black: float, white: float) -> Image.Image:
    """A part of a picture in RGB, on white; what Pillow cannot make RGB by itself stays in CMYK or LAB."""
    if _is_deep(band):
        values = np.asarray(band).astype(np.float64 if band.mode == "I" else np.float32)  # which hold each of them
        grey = np.nan_to_num(255 * (values - black) / (white - black), nan=0).clip(0, 255).round()
        grey[values == band.info.get("transparency")] = 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if band.mode in ("CMYK", "LAB"):
        return band
    if band.mode in ("La", "PA"):  # steps that Pillow does not go at once
        band = band.convert({"La": "LA", "PA": "RGBA"}[band.mode])
    if band.has_transparency_data:
        band = band.convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
    return band.convert("RGB")


def _in_srgb(square: Image.Image, profile: bytes | None, mode: str) -> Image.Image:
    """A picture in the colours of a screen. Raises what ImageCms raises, or ValueError, if the profile does not fit."""
    if profile:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    elif square.mode == "LAB":
        source = ImageCms.createProfile("LAB")
    else:
        return square.convert("RGB")
    space = getattr(source, "profile", source).xcolor_space.strip()
    needed = {"GRAY": "L", "Lab": "LAB"}.get(space, space)
    if needed != ("L" if needed == "L" and Image.getmodebase(mode) == "L" else square.mode):
        raise ValueError(f"a profile for {space} does not fit a picture in {mode}")
    return ImageCms.profileToProfile(square.convert(needed), source, ImageCms.createProfile("sRGB"), outputMode="RGB")


def _has_other_colours(path: Path, image: Image.Image) -> bool:
    """Whether a file says, but not with a profile, that its colours are no sRGB.

    Sources: PNG, 3rd edition, 4.3; for cameras, Exif 2.3, 4.6.7: "R03" is Adobe RGB.
    """
    if image.info.get("icc_profile"):
        return False
    if image.format != "PNG":
        try:
            return image.getexif().get_ifd(0xA005).get(1) == "R03"
        except Exception:  # a damaged remark is no reason to refuse the picture
            return False
    if code := _colour_code(path):
        return code != SRGB_CODE
    if "srgb" in image.info:
        return False
    grey = Image.getmodebase(image.mode) == "L"
    gamma, primaries = image.info.get("gamma"), () if grey else image.info.get("chromaticity", ())
    far = any(abs(said - usual) > 0.01 for said, usual in zip(primaries, SRGB, strict=False))
    return far or bool(gamma and abs(2.2 * gamma - 1) > 0.05)


def _colour_code(path: Path) -> tuple[int, ...]:
    """Primaries and curve in the part `cICP` of a PNG file, which Pillow passes over; nothing if it has none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            if head[4:] == b"cICP":
                return tuple(file.read(2))
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return ()


def _formats() -> list[str]:
    """Those of `FORMATS` that Pillow has here: AVIF is new in it."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def is_picture(path: Path) -> bool:
    """Whether a file is meant as a picture: by its name, such as cat.jpg or cat.jpg.txt, or else by how it begins.

    But beside a cat.jpg, cat.jpg.txt is something about it.
    """
    *_, before, last = ["", "", *(ending.casefold() for ending in path.suffixes)]
    if last in ENDINGS or (before in ENDINGS and not path.with_suffix("").exists()):
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_formats()):
                return True
    except Exception as error:  # a damaged file can make a decoder fail in any way
        return isinstance(error, Image.DecompressionBombError)


def read_picture(path: Path, size: int, fit: str = "crop") -> tuple[Tensor, int, list[str]]:
    """A prepared picture, the side it had, shorter or with fit="pad" longer, and what is odd about it.

    Raises BadPicture in plain words.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_formats()) as image:
                side = (min if fit == "crop" else max)(image.size)
                odd = [ANIMATED] if image.format != "MPO" and getattr(image, "is_animated", False) else []
                odd += [OTHER] if _has_other_colours(path, image) else []
                image.draft(None, (2 * size, 2 * size))  # a large JPEG is unpacked no larger than needed
                x0, odder = _prepare(image, size, fit)
                return x0, side, odd + odder
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadPicture("large", "has too many pixels. Make it smaller, a thousand pixels wide is plenty.") from error
    except PermissionError as error:
        raise BadPicture("closed", "may not be read by you. Change its permissions.") from error
    except UnidentifiedImageError as error:
        raise BadPicture("format", f"{_what_else(path)}. Save it as PNG or JPEG.") from error
    except Exception as error:  # a damaged file can make a decoder fail in any way
        raise BadPicture("damaged", f"is damaged or cut short ({error}). Save it again.") from error


def _what_else(path: Path) -> str:
    """What a file holds that is no picture we open."""
    with path.open("rb") as file:
        start = file.read(12)
    start = start[4:] if start[4:8] == b"ftyp" else start  # the family of MP4
    for beginning, what in STARTS.items():
        if start.startswith(beginning):
            return f"holds {what}, which cannot be opened"
    return "is no picture that can be opened"
