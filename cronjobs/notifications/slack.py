"""A message in the shape of Slack's incoming webhooks, which other chats understand as well."""

from __future__ import annotations

from typing import Any

from cronjobs.notifications.messages import Fact, Message

# Slack refuses a message with a longer header, or a longer section.
_HEADER, _SECTION = 150, 2_900


def slack_payload(message: Message) -> dict[str, Any]:
    """Return `message` with nothing in it that Slack would take for a mention or a link, except our own links."""
    sign = ":white_check_mark:" if message.is_resolution or message.is_test else ":rotating_light:"
    texts = [message.details, message.description]
    if message.is_repeat:
        texts.append("This message may be a repetition: nobody knows whether it arrived before.")
    sections = [escaped(each, _SECTION) for each in texts if each]
    sections.append(_facts(message.facts))
    sections += [_code(each) for each in (message.error, _end_of(message.log)) if each]
    header = {"type": "header", "text": {"type": "plain_text", "text": _cut(message.title, _HEADER), "emoji": False}}
    return {
        "text": f"{sign} {escaped(message.title, _SECTION)}",
        "blocks": [header, *({"type": "section", "text": {"type": "mrkdwn", "text": each}} for each in sections)],
    }


def escaped(text: str, longest: int) -> str:
    """Return `text` with Slack's three special characters as entities; cut, so that it has at most `longest` characters."""
    shown = text
    while len(escaped := _entities(shown)) > longest:
        shown = _cut(shown, len(shown) - max(1, (len(escaped) - longest) // 5))
    return escaped


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: max(0, longest - 1)]}…"


def _facts(facts: list[Fact]) -> str:
    lines: list[str] = []
    for each in facts:
        text = escaped(each.text, 300)
        lines.append(f"*{each.label}* {_link(each.link, text) if each.link else text}")
    # Whole lines only: half of a link is none.
    while len("\n".join(lines)) > _SECTION:
        lines.pop()
    return "\n".join(lines)


def _link(address: str, text: str) -> str:
    # Both would end it.
    return f"<{_entities(address).replace('|', '%7C')}|{text.replace('|', '¦')}>"


def _end_of(log: str) -> str:
    """Return the end of a log, which says more than its beginning, as far as a section takes it."""
    shown = log
    while (excess := len(_entities(shown)) - _SECTION) > 0:
        # At least one, since the sign for what is left out takes the place of another.
        shown = f"…{shown[max(excess // 5, 1) + 1 :]}"
    return shown


def _code(text: str) -> str:
    # A fence in it would end ours.
    shown = text.replace("```", "'''")
    return f"```{escaped(shown, _SECTION)}```"
