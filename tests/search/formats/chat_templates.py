"""Chat templates as the families of models publish them, with the special tokens that they name."""

from __future__ import annotations

from search.formats.chat_template import ChatTemplate
from tests.fakes.token_families import (
    GEMMA_TEMPLATE,
    LLAMA_2_TEMPLATE,
    LLAMA_3_TEMPLATE,
    MISTRAL_TEMPLATE,
    PHI_3_TEMPLATE,
    QWEN_TEMPLATE,
)

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3_2 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
# Qwen3's: thinking is left out of earlier turns, and skipped where it is switched off.
QWEN_3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == "user" and ns.last_query_index == messages|length - 1 %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- if '</think>' in message.content %}
            {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.last and loop.index0 > ns.last_query_index %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
# DeepSeek-R1's distilled models: the prompt begins the thinking.
R1 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<|User|>' + message['content'] }}{% else %}{% set content = "
    "message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<|Assistant|>' + content + '<|end_of_sentence|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}"
)
SENTENCEPIECE = (("bos_token", "<s>"), ("eos_token", "</s>"))

TEMPLATES = {
    "qwen2.5": ChatTemplate(QWEN_TEMPLATE, (("eos_token", "<|im_end|>"),)),
    "qwen3": ChatTemplate(QWEN_3, (("eos_token", "<|im_end|>"),)),
    "llama3": ChatTemplate(LLAMA_3_TEMPLATE, (("bos_token", "<|begin_of_text|>"), ("eos_token", "<|eot_id|>"))),
    "llama3.2": ChatTemplate(LLAMA_3_2, (("bos_token", "<|begin_of_text|>"), ("eos_token", "<|eot_id|>"))),
    "llama2": ChatTemplate(LLAMA_2_TEMPLATE, SENTENCEPIECE),
    "mistral": ChatTemplate(MISTRAL_TEMPLATE, SENTENCEPIECE),
    "gemma": ChatTemplate(GEMMA_TEMPLATE, (("bos_token", "<bos>"), ("eos_token", "<eos>"))),
    "phi3": ChatTemplate(PHI_3_TEMPLATE, (("bos_token", "<s>"), ("eos_token", "<|endoftext|>"))),
    "smollm2": ChatTemplate(SMOLLM2, (("bos_token", "<|im_start|>"), ("eos_token", "<|im_end|>"))),
    "r1": ChatTemplate(R1, (("bos_token", "<|begin_of_sentence|>"), ("eos_token", "<|end_of_sentence|>"))),
}

QUESTION = {"role": "user", "content": "How many?\n"}
SOLUTION = {"role": "assistant", "content": "Step 1: two.\n\n\\boxed{2}"}
CONVERSATIONS = [[QUESTION], [QUESTION, SOLUTION], [QUESTION, SOLUTION, {"role": "user", "content": " Are you sure? "}]]

# Whatever a template may use of the environment, in one.
EVERY_FEATURE = """{%- set ns = namespace(n=0) -%}
    {% for message in messages %}
    {% if message.content == 'skip' %}{% continue %}{% endif %}
    {% set ns.n = ns.n + 1 %}
    {{ message.content | tojson }} {{ message | tojson(indent=2) }}
    {% if ns.n == 9 %}{% break %}{% endif %}
    {% endfor %}
{% generation %}
  {{ bos_token }}{{ tools is none }}{{ documents is none }}{{ undefined_name }}
{% endgeneration %}
{% if ns.n > 5 %}{{ raise_exception('too many') }}{% endif %}
{% if strftime_now is defined %}dated{% endif %}
"""
