"""Choose how a server's model is prompted: which API suits the model's files that are here, and in which step format."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from actors.endpoints.capabilities import Api
from actors.endpoints.config import EndpointConfig
from actors.endpoints.policy import Encode
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_format import SYSTEM_TEXT, ChatFormat
from search.formats.chat_template import ChatTemplate
from search.formats.model_prompt import AUTO, CHAT, PromptSettings, prompt_format
from search.formats.prose import Delimiter
from search.tokens import TokenEncoder

# Stands in for a template that only the server has: its text is sent to nobody.
SERVERS_TEMPLATE = ChatTemplate(
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def api_order(config: EndpointConfig, directory: Path | None, settings: PromptSettings) -> tuple[Api, ...]:
    """Return the APIs to try, the best first.

    A prompt rendered here has the step format's own conventions and, with the model's tokenizer, its ids: the best where
    the model's template is here, or a format that needs none is asked for.
    """
    if config.api != "auto":
        return (config.api,)
    if directory is not None:
        return "completions", "continue", "chat"
    return ("completions",) if settings.format not in (AUTO, CHAT) else ("continue", "chat", "completions")


def endpoint_format(api: Api, directory: Path | None, settings: PromptSettings) -> StepFormat:
    """Return the step format in which a server's model is prompted. Raises UserError if the API cannot be asked in it."""
    if api == "completions" or directory is not None:
        if directory is None and settings.format == CHAT:
            raise UserError(
                "policy.format chat: by completions it needs the model's chat template here: name a directory with its "
                "tokenizer and template in policy.path, or choose policy.endpoint.api continue or chat"
            )
        form = prompt_format(directory, _with_format(settings, directory))
    elif settings.format in (AUTO, CHAT):
        form = _servers_chat(settings)
    else:
        form = prompt_format(None, settings)
    if api != "completions" and not isinstance(form, ChatFormat):
        raise UserError(f"policy.format {form.name}: policy.endpoint.api {api} is a chat: choose the format chat")
    return form


def read_encoder(directory: Path | None) -> Encode | None:
    """Return what makes token ids of prompts by the tokenizer in ``directory``, None where there is none."""
    file = None if directory is None else directory / "tokenizer.json"
    if file is None or not file.is_file():
        return None
    return TokenEncoder(Tokenizer.from_file(str(file))).ids


def _with_format(settings: PromptSettings, directory: Path | None) -> PromptSettings:
    """Return settings that name a format where there is neither a model's file nor a wish: plain."""
    if directory is not None or settings.format != AUTO:
        return settings
    return PromptSettings(format="plain", shots=settings.shots, delimiter=settings.delimiter)


def _servers_chat(settings: PromptSettings) -> ChatFormat:
    return ChatFormat(
        SERVERS_TEMPLATE,
        shots=settings.shots,
        system=SYSTEM_TEXT if settings.system == AUTO else settings.system,
        delimiter=Delimiter.BLANK_LINE if settings.delimiter == AUTO else Delimiter(settings.delimiter),
    )
