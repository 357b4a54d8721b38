"""Values to bytes and back. A codec has a `name`, which every user of a queue must have in common,
and `encode(value)` and `decode(data)`.
"""

import ctypes
import json as _json
import struct as _struct


def _refuse_constant(text):
    raise ValueError(f"{text} is not JSON")


class JsonCodec:
    """Values as JSON in UTF-8, as the codec json() of Node. NaN and the infinities are refused."""

    name = "json"

    def encode(self, value):
        try:
            text = _json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return text.encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair: JSON can say it, UTF-8 cannot.
            return _json.dumps(value, allow_nan=False, separators=(",", ":")).encode()

    def decode(self, data):
        return _json.loads(data.decode(), parse_constant=_refuse_constant)


class RawCodec:
    """Bytes as they are, received as bytes: the codec raw() of Node."""

    name = "raw"

    def encode(self, value):
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        raise TypeError(f"Expected bytes for `obj`, received {type(value).__name__}")

    def decode(self, data):
        return data


class TextCodec:
    """Strings as strict UTF-8: the codec text() of Node."""

    name = "text"

    def encode(self, value):
        if isinstance(value, str):
            return value.encode()
        raise TypeError(f"Expected a str for `obj`, received {type(value).__name__}")

    def decode(self, data):
        return data.decode()


class StructCodec:
    """Records of a fixed layout, as struct({...}) of Node and structures of C.

    `layout` says where the bytes are: a format of the module struct, a struct.Struct, or a class of
    ctypes such as the one that pythonClass of ipckit prints. Values are tuples, or objects of that
    class. `name` is the name of the struct in Node:

        tick = StructCodec("<i4xd8s", "struct{id:i32,px:f64,sym:char[8]}")

    C puts gaps between fields of different sizes, and so does Node; the format has to have them
    too, with x, or by native alignment without a first letter.
    """

    def __init__(self, layout, name):
        self.name = name
        self._class = layout if isinstance(layout, type) else None
        if self._class is None:
            self._format = layout.format if isinstance(layout, _struct.Struct) else layout
            self.size = _struct.calcsize(self._format)
        elif issubclass(layout, (ctypes.Structure, ctypes.BigEndianStructure)):
            self.size = ctypes.sizeof(layout)
        else:
            raise TypeError(f"Expected a ctypes.Structure for `layout`, received {layout.__name__}")

    def encode(self, value):
        if self._class is None:
            return _struct.pack(self._format, *value)
        if isinstance(value, self._class):
            return bytes(value)
        raise TypeError(
            f"Expected {self._class.__name__} for `obj`, received {type(value).__name__}"
        )

    def decode(self, data):
        if len(data) != self.size:
            raise ValueError(
                f"expected a message of {self.size} bytes for {self.name}, received {len(data)}"
            )
        if self._class is None:
            return _struct.unpack(self._format, data)
        return self._class.from_buffer_copy(data)


json = JsonCodec()
raw = RawCodec()
text = TextCodec()

_BY_NAME = {codec.name: codec for codec in (json, raw, text)}


def codec_of(codec):
    """A codec by itself or by its name."""
    if isinstance(codec, str):
        if codec in _BY_NAME:
            return _BY_NAME[codec]
        raise ValueError(f"Expected json, raw, text or a codec for `codec`, received {codec!r}")
    if callable(getattr(codec, "encode", None)) and callable(getattr(codec, "decode", None)):
        return codec
    raise TypeError(f"Expected a codec for `codec`, received {type(codec).__name__}")
