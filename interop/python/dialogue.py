"""What queue_peer.py and sync_peer.py have in common: they do what each line of standard input
says, and answer with a line of JSON.
"""

import ctypes
import json
import sys


def converse(peer_class, name_of, structures):
    """Makes a peer of the words of the command line; every command is one of its methods.

    What a method raises is answered by the name that `name_of` has for it. The one word `sizes`
    asks for the sizes of these structures instead.
    """
    if sys.argv[1:] == ["sizes"]:
        print(json.dumps({name: ctypes.sizeof(kind) for name, kind in structures.items()}))
        return 0
    peer = _answer(name_of, peer_class, *sys.argv[1:])
    if isinstance(peer, dict):
        return 1
    for line in sys.stdin:
        word, *arguments = line.split()
        _answer(name_of, getattr(peer, word), *map(_number_or_word, arguments))
        if word == "close":
            break
    return 0


def _answer(name_of, call, *arguments):
    try:
        told = call(*arguments)
    except Exception as error:
        told = {"error": name_of(error)}
    print(json.dumps(told if isinstance(told, dict) else {"ok": 0}, ensure_ascii=False), flush=True)
    return told


def _number_or_word(text):
    try:
        return int(text)
    except ValueError:
        return text
