"""Types of ctypes, and what Node calls them."""

import ctypes

_TYPES = {
    "c": ctypes.c_char,
    "u": ctypes.c_wchar,
    "b": ctypes.c_byte,
    "B": ctypes.c_ubyte,
    "h": ctypes.c_short,
    "H": ctypes.c_ushort,
    "i": ctypes.c_int,
    "I": ctypes.c_uint,
    "l": ctypes.c_long,
    "L": ctypes.c_ulong,
    "q": ctypes.c_longlong,
    "Q": ctypes.c_ulonglong,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
}
_FLOATS = {ctypes.c_float: "f32", ctypes.c_double: "f64"}
_UNSIGNED = {ctypes.c_ubyte, ctypes.c_ushort, ctypes.c_uint, ctypes.c_ulong, ctypes.c_ulonglong}
_SIGNED = {ctypes.c_byte, ctypes.c_short, ctypes.c_int, ctypes.c_long, ctypes.c_longlong}

# What all types of ctypes inherit from.
_Data = ctypes.c_int.__mro__[-2]


def ctype_of(typecode_or_type):
    found = _TYPES.get(typecode_or_type) if isinstance(typecode_or_type, str) else typecode_or_type
    if not (isinstance(found, type) and issubclass(found, _Data)):
        raise TypeError(
            "Expected a type of ctypes or one of the codes"
            f" {' '.join(_TYPES)} for `typecode_or_type`, received {typecode_or_type!r}"
        )
    return found


def type_name(kind):
    """The name that Node has for a type, by which both see that they mean the same."""
    if kind in _FLOATS:
        return _FLOATS[kind]
    if kind is ctypes.c_bool:
        return "bool"
    if kind is ctypes.c_char:
        return "u8"
    if kind in _SIGNED or kind in _UNSIGNED:
        return f"{'i' if kind in _SIGNED else 'u'}{8 * ctypes.sizeof(kind)}"
    if issubclass(kind, ctypes.Array):
        dimensions = ""
        while issubclass(kind, ctypes.Array):
            dimensions += f"[{kind._length_}]"
            kind = kind._type_
        return type_name(kind) + dimensions
    fields = fields_of(kind)
    if issubclass(kind, ctypes.Structure) and all(len(field) == 2 for field in fields):
        packed = " packed" if getattr(kind, "_pack_", 0) == 1 else ""
        told = ",".join(f"{name}:{_field_name(field)}" for name, field in fields)
        return f"struct{packed}{{{told}}}"
    # A type of C that Node has no word for: only programs in Python will agree on it.
    return f"{kind.__name__}({ctypes.sizeof(kind)})"


def fields_of(kind):
    """Those of a struct, with what it inherits."""
    parts = (base.__dict__.get("_fields_", ()) for base in reversed(kind.__mro__))
    return [field for part in parts for field in part]


def _field_name(kind):
    """Node reads an array of char in a struct as text, of its own type."""
    if issubclass(kind, ctypes.Array) and kind._type_ is ctypes.c_char:
        return f"char[{kind._length_}]"
    return type_name(kind)
