"""Text to scene graph by a sequence-to-sequence model trained on FACTUAL-style lines."""

from collections import Counter

import torch
from mmengine.logging import print_log

from finsta.parsing.text.factual import graph_of_tuples, read_line
from finsta.registry import SG_PARSERS
from finsta.structures import SceneGraph
from finsta.utils.optional import require
from finsta.utils.text import well_formed


@SG_PARSERS.register_module()
class Seq2SeqTextParser:
    """Any transformers encoder-decoder that writes ``( man , ride , wave )`` lines.

    The published FACTUAL checkpoints (Flan-T5) are such models. Decoding is greedy or by beams,
    without sampling, so the output is deterministic. Spans are found by matching the words of a
    label in the text; see :func:`finsta.parsing.text.factual.find_span`. Source: ours; line form
    of FACTUAL (Li et al. 2023).

    Args:
        model: folder or hub name for ``from_pretrained`` (weights and tokenizer).
        prefix: put in front of every text; FACTUAL's models were trained with this default.
        batch_size: texts generated together.
        max_input_tokens: longer texts are cut, counted under ``'truncated'``.
        max_output_tokens: bound on the generated line.
        num_beams: 1 is greedy.
        device: torch device, default CUDA when there is one.

    Attributes:
        counts: ``'empty'`` (no tuple in the output), ``'truncated'``.

    Raises:
        ImportError: transformers is not installed.
        FileNotFoundError: the model cannot be loaded, with the reason.
    """

    kind = 'text'
    VERSION = 1

    def __init__(self, model: str, prefix: str = 'Generate Scene Graph: ', batch_size: int = 32,
                 max_input_tokens: int = 256, max_output_tokens: int = 256, num_beams: int = 1,
                 device: str | None = None) -> None:
        transformers = require('transformers', 'Seq2SeqTextParser')
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(model)
            self.model = transformers.AutoModelForSeq2SeqLM.from_pretrained(model)
        except (OSError, ValueError) as error:   # absent; or a model of another kind
            raise FileNotFoundError(
                f'no seq2seq checkpoint at {model!r} ({error}). Give a folder with config, '
                'weights and tokenizer, or a hub name that can be reached') from error
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self.model.to(self.device).eval()
        self.prefix = prefix
        self.batch_size = batch_size
        self.max_input_tokens = max_input_tokens
        self.max_output_tokens = max_output_tokens
        self.num_beams = num_beams
        self.counts: Counter = Counter()
        self.name = f'Seq2SeqTextParser/{self.VERSION} {model}'

    def parse(self, texts: list[str]) -> list[SceneGraph]:
        """One graph a text, in order; content never raises.

        Raises:
            TypeError: if ``texts`` is one string or holds something that is no string.
        """
        if isinstance(texts, str) or not all(isinstance(t, str) for t in texts):
            raise TypeError('parse() takes a list of strings')
        before = Counter(self.counts)
        graphs: list[SceneGraph] = []
        for start in range(0, len(texts), self.batch_size):
            graphs += self._batch(texts[start:start + self.batch_size])
        new = self.counts - before
        if new:
            print_log(f'Seq2SeqTextParser: of {len(texts)} texts {dict(new)}', 'current')
        return graphs

    @torch.inference_mode()
    def _batch(self, texts: list[str]) -> list[SceneGraph]:
        # a cut before tokenising bounds the work on an endless text
        shown = [self.prefix + t[:20 * self.max_input_tokens] for t in texts]
        shown = [well_formed(s) for s in shown]
        whole = self.tokenizer(shown, add_special_tokens=True)['input_ids']
        self.counts['truncated'] += sum(
            len(ids) > self.max_input_tokens or len(s) < len(self.prefix + t)
            for ids, s, t in zip(whole, shown, texts, strict=True))
        inputs = self.tokenizer(shown, return_tensors='pt', padding=True, truncation=True,
                                max_length=self.max_input_tokens)
        output = self.model.generate(
            input_ids=inputs['input_ids'].to(self.device),
            attention_mask=inputs['attention_mask'].to(self.device), do_sample=False,
            num_beams=self.num_beams, max_new_tokens=self.max_output_tokens)
        lines = self.tokenizer.batch_decode(output, skip_special_tokens=True)
        graphs = []
        for text, line in zip(texts, lines, strict=True):
            tuples = read_line(line) if text.strip() and '(' in line else []
            self.counts['empty'] += not tuples
            graphs.append(graph_of_tuples(tuples, text, self.name))
        return graphs
