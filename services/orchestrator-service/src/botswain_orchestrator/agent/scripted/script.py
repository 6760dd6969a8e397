"""The script: which words it knows, and what it does about them.

A table of commands, tried in order. Each has a pattern, a line for `help`, and a function from the match and the
conversation to the reply. A command that uses tools is asked again after each round of them, and finds their
outcomes in the conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botswain_orchestrator.agent.scripted.conversation import Call, Conversation, Reply

SEND, EDIT, REACT = "discord_send_message", "discord_edit_message", "discord_add_reaction"
READ_FILE = ("read_file", "filesystem_read_file", "read_text_file")
FETCH = ("fetch", "fetch_url")

LONGEST_QUOTE = 500
LONGEST_EXCERPT = 1500
MOST_MESSAGES = 10
HIGHEST_COUNT = 2000
LONGEST_WAIT = 60.0

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: number for number, word in enumerate(_WORDS, start=1)}
_EMOJI = {
    "thumbs up": "👍",
    "thumbsup": "👍",
    "heart": "❤️",
    "party": "🎉",
    "tada": "🎉",
    "eyes": "👀",
    "rocket": "🚀",
    "fire": "🔥",
    "smile": "😄",
    "check": "✅",
}
_FILLERS = re.compile(r"^\s*an? |\b(?:please|thanks|thank you)\b", re.IGNORECASE)
_APPROVED_TOOL = re.compile(r"\bcall of (\S+)")
_CUSTOM_EMOJI = re.compile(r"<a?:(\w+:\d+)>")

Respond = Callable[[re.Match[str], Conversation], Reply]


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the script knows."""

    pattern: re.Pattern[str]
    respond: Respond
    usage: str = ""
    """How it is written; empty: not shown by `help`."""
    about: str = ""


def reply(conversation: Conversation) -> Reply:
    """What the model answers."""
    if conversation.decision:
        return _decided(conversation)
    if conversation.kind in ("reaction", "edit"):
        return Reply()
    text = conversation.text.strip()
    if not text:
        return _wordless(conversation)
    for command in COMMANDS:
        match = command.pattern.fullmatch(text)
        if match:
            return command.respond(match, conversation)
    return _plain(conversation)


def _decided(conversation: Conversation) -> Reply:
    if conversation.rounds:
        tool = _APPROVED_TOOL.search(conversation.decision)
        return _show(conversation, tool[1] if tool else "the tool")
    return Reply(f"I didn't make the call: {conversation.decision}")


def _send(conversation: Conversation, *texts: str) -> Reply:
    """Send messages with the tool, in one round; afterwards there is nothing left to say."""
    if SEND not in conversation.tools:
        return Reply("\n\n".join(texts))
    if conversation.rounds:
        return _end(conversation)
    return Reply(calls=tuple(Call(SEND, {"channel_id": conversation.channel_id, "content": text}) for text in texts))


def _end(conversation: Conversation) -> Reply:
    return Reply(f"That didn't work: {conversation.failure}") if conversation.failure else Reply()


def _missing(tool: str) -> Reply:
    return Reply(f"I'd need the tool `{tool}` for that, and nobody gave it to me.")


def _help(_match: re.Match[str], _conversation: Conversation) -> Reply:
    lines = [f"- `{command.usage}`: {command.about}" for command in COMMANDS if command.usage]
    return Reply(
        "I'm the scripted model: no network, no key, the same answer every time. This is what I understand:\n"
        + "\n".join(lines)
        + "\nAnything else I repeat. Set `MODEL` to `openai:<model>` or `ollama:<model>` for an agent that thinks."
    )


def _hello(_match: re.Match[str], conversation: Conversation) -> Reply:
    name = _known_name(conversation) or conversation.user_name
    return Reply(
        f"Hello{', ' + name if name else ''}! 👋 I'm the scripted model that Botswain starts with. "
        "Write `help` to see what I can do."
    )


def _react(match: re.Match[str], conversation: Conversation) -> Reply:
    if REACT not in conversation.tools:
        return _missing(REACT)
    if conversation.rounds:
        return _end(conversation)
    emoji = _emoji_in(match["emoji"] or "")
    target = conversation.reference_id or conversation.message_id
    arguments = {"channel_id": conversation.channel_id, "message_id": target, "emoji": emoji}
    return Reply(calls=(Call(REACT, arguments),))


def _emoji_in(wish: str) -> str:
    """The emoji that some words ask for, as Discord takes it; a thumb up where they name none it knows."""
    custom = _CUSTOM_EMOJI.search(wish)
    if custom:
        return custom[1]
    named = _EMOJI.get(_FILLERS.sub("", wish).strip(" .,!").lower())
    return named or next((word.strip(".!,") for word in wish.split() if not word.isascii()), "👍")


def _edit(match: re.Match[str], conversation: Conversation) -> Reply:
    before, after = (match["before"] or "Working on it …").strip(), (match["after"] or "Done. ✅").strip()
    if not {SEND, EDIT} <= conversation.tools.keys():
        return _missing(SEND if SEND not in conversation.tools else EDIT)
    if not conversation.rounds:
        return Reply(calls=(Call(SEND, {"channel_id": conversation.channel_id, "content": before}),))
    if conversation.failure or len(conversation.rounds) > 1:
        return _end(conversation)
    sent = conversation.outcomes[0].message_id
    if not sent:
        return Reply("I sent the message, but wasn't told its id, so I can't edit it.")
    arguments = {"channel_id": conversation.channel_id, "message_id": sent, "content": after}
    return Reply(calls=(Call(EDIT, arguments),))


def _several(match: re.Match[str], conversation: Conversation) -> Reply:
    word = match["count"].lower()
    count = max(1, min(MOST_MESSAGES, _NUMBERS.get(word) or int(word)))
    return _send(conversation, *(f"Message {number} of {count}" for number in range(1, count + 1)))


def _say(match: re.Match[str], conversation: Conversation) -> Reply:
    texts = [text for text in re.split(r",?\s+(?:and\s+)?then\s+(?:say\s+)?", match["what"].strip()) if text]
    return Reply(texts[0]) if len(texts) == 1 else _send(conversation, *texts[:MOST_MESSAGES])


def _nothing(_match: re.Match[str], _conversation: Conversation) -> Reply:
    return Reply()


def _read_file(match: re.Match[str], conversation: Conversation) -> Reply:
    return _look_up(conversation, READ_FILE, "path", match["path"].strip("` "))


def _fetch(match: re.Match[str], conversation: Conversation) -> Reply:
    return _look_up(conversation, FETCH, "url", match["url"].strip("<>` "))


def _look_up(conversation: Conversation, names: Iterable[str], argument: str, value: str) -> Reply:
    tool = next((name for name in names if name in conversation.tools), None)
    if tool is None:
        return _missing(next(iter(names)))
    if not conversation.rounds:
        return Reply(calls=(Call(tool, {argument: value}),))
    return _show(conversation, value)


def _show(conversation: Conversation, what: str) -> Reply:
    if conversation.failure:
        return _end(conversation)
    text = "\n".join(outcome.text for outcome in conversation.outcomes).strip()
    excerpt = text if len(text) <= LONGEST_EXCERPT else f"{text[:LONGEST_EXCERPT]}…"
    return Reply(f"`{what}` says:\n```\n{excerpt.replace('```', '` ` `') or '(nothing)'}\n```")


def _call(match: re.Match[str], conversation: Conversation) -> Reply:
    name = match["tool"]
    if conversation.rounds:
        return _show(conversation, name)
    try:
        arguments = json.loads(match["arguments"] or "{}")
    except ValueError as error:
        return Reply(f"Those arguments aren't JSON: {error}")
    if not isinstance(arguments, dict):
        return Reply('The arguments have to be a JSON object, for example `{"path": "notes.txt"}`.')
    return Reply(calls=(Call(name, arguments),))


def _learn_name(match: re.Match[str], _conversation: Conversation) -> Reply:
    return Reply(f"Nice to meet you, {match['name'].strip()}! I'll remember that.")


def _tell_name(_match: re.Match[str], conversation: Conversation) -> Reply:
    name = _known_name(conversation)
    if name:
        return Reply(f"Your name is {name}.")
    shown = f" Discord calls you {conversation.user_name}." if conversation.user_name else ""
    return Reply(f"You haven't told me yet.{shown}")


def _known_name(conversation: Conversation) -> str:
    for user, text in reversed(conversation.earlier):
        match = _MY_NAME.fullmatch(text.strip())
        if match and user == conversation.user_id:
            return match["name"].strip()
    return ""


def _recall(_match: re.Match[str], conversation: Conversation) -> Reply:
    mine = [text for user, text in conversation.earlier if user == conversation.user_id]
    return Reply(f"You said: “{_shortened(mine[-1])}”" if mine else "I don't remember anything from you yet.")


def _count(match: re.Match[str], _conversation: Conversation) -> Reply:
    return Reply("\n".join(map(str, range(1, min(HIGHEST_COUNT, int(match["to"])) + 1))) or "0")


def _wait(match: re.Match[str], _conversation: Conversation) -> Reply:
    seconds = min(LONGEST_WAIT, float(match["seconds"]))
    return Reply(f"I waited {seconds:g} s.", wait_seconds=seconds)


def _fail_tool(_match: re.Match[str], conversation: Conversation) -> Reply:
    if SEND not in conversation.tools:
        return _missing(SEND)
    if not conversation.rounds:
        return Reply(calls=(Call(SEND, {"channel_id": "0", "content": "This can't arrive."}),))
    return Reply(f"The tool failed, as you wished: {conversation.failure or 'it did not, after all'}")


def _fail_turn(_match: re.Match[str], _conversation: Conversation) -> Reply:
    return Reply(failure="the scripted model was told to fail")


def _wordless(conversation: Conversation) -> Reply:
    if conversation.attachments:
        names = ", ".join(file.split(" ")[0] or "a file" for file in conversation.attachments)
        return Reply(f"Thank you for {names}. I can't look inside, but it arrived.")
    return Reply(
        "Your message arrived without text. If you wrote some, the bot lacks Discord's Message Content intent."
    )


def _plain(conversation: Conversation) -> Reply:
    hint = "" if conversation.earlier else "\nI follow a script; write `help` to see it."
    return Reply(f"You said: “{_shortened(conversation.text.strip())}”{hint}")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_MY_NAME = _pattern(r"my name(?: is|'s|’s) (?P<name>[^\n]{1,80}?)[.!]*")

COMMANDS = (
    Command(_pattern(r"/?help[.!?]*|what can you do\??"), _help, "help", "this list"),
    Command(_pattern(r"(?:hello|hi|hey|good (?:morning|evening|day))\b[^\n]{0,40}"), _hello, "hello", "I greet you"),
    Command(
        _pattern(r"(?:please )?react(?: to (?:this|that|it))?(?: with (?P<emoji>.{1,80}))?(?:,? please)?[.!]?"),
        _react,
        "react with 👍",
        "I react to your message, or to the one you reply to",
    ),
    Command(
        _pattern(
            r"(?:please )?edit(?: (?:a|the|your|this) message)?[.!]*"
            r"|edit (?P<before>.+?)(?: -> | → | to )(?P<after>.+)"
        ),
        _edit,
        "edit <first> to <second>",
        "I send a message, then edit it",
    ),
    Command(
        _pattern(rf"(?:please )?send (?P<count>\d{{1,2}}|{'|'.join(_NUMBERS)}) messages?[.!]*"),
        _several,
        "send three messages",
        "several messages in one answer",
    ),
    Command(_pattern(r"say nothing[.!]*"), _nothing, "say nothing", "I read, and keep quiet"),
    Command(_pattern(r"(?:say|send) (?P<what>.+)"), _say, "say <this>, then <that>", "your words, one message each"),
    Command(_pattern(r"read (?:the )?file (?P<path>\S+)"), _read_file, "read file <path>", "what a file says"),
    Command(_pattern(r"fetch (?P<url>\S+)"), _fetch, "fetch <url>", "what a page says"),
    Command(
        _pattern(r"call (?P<tool>[\w.-]+)(?:\s+(?P<arguments>.+))?"),
        _call,
        "call <tool> {json}",
        "any tool I was given, with your arguments",
    ),
    Command(_MY_NAME, _learn_name, "my name is <name>", "I remember it"),
    Command(
        _pattern(r"what(?:'s| is|’s) my name\??|who am i\??|do you (?:know|remember) my name\??"),
        _tell_name,
        "what is my name?",
        "whether I remember",
    ),
    Command(_pattern(r"what did i (?:just )?say\??"), _recall, "what did I say?", "your last message before this one"),
    Command(_pattern(r"count to (?P<to>\d{1,6})"), _count, "count to <number>", "a long answer, cut into messages"),
    Command(
        _pattern(r"wait (?P<seconds>\d{1,4}(?:\.\d+)?) ?(?:s|seconds?)?"),
        _wait,
        "wait <seconds>",
        "a slow answer; other channels don't wait with you",
    ),
    Command(
        _pattern(r"fail(?: the| a)? tool"),
        _fail_tool,
        "fail tool",
        "a tool call that fails; the answer arrives all the same",
    ),
    Command(_pattern(r"fail(?: the| this)? turn"), _fail_turn),
)
