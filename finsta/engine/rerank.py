"""Retrieval in two steps: all pairs by cosine, then the best k of each query by a matching head.

    refined[q, c] = coarse[q, c] + P(match | q, c)   for the k best candidates c of q
    refined[q, c] = coarse[q, c] - 3                 for the others: below all of these

In both directions (stgt.md, evaluation; the original gives -100 to the others, which ties them).
Shapes: N texts, V videos.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.runner import TestLoop, autocast
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from finsta.evaluation.functional import rank_statistics
from finsta.models.backbones.base import BackboneFeatures
from finsta.models.heads.retrieval import RetrievalHead
from finsta.registry import LOOPS
from finsta.utils.distributed import unwrapped

# cosines lie in -1..1, so refined scores in -1..2 and the rest in -4..-2
_BELOW = 3.0
# fields of a text with a row for each token
_BY_TOKEN = ('text', 'text_mask', 'text_offsets', 'text_ids')


def ranks_of_scores(scores: Tensor, truth: Tensor) -> Tensor:
    """(Q,) rank of each query's best true candidate: 1 + wrong candidates with a higher score.

    Args:
        scores: (Q, C). truth: (Q, C) bool.

    Raises:
        ValueError: a NaN score, which would stand below nothing and so rank first.
    """
    if bad := int(scores.isnan().any(1).sum()):
        raise ValueError(f'{bad} of {len(scores)} queries have NaN scores: the weights or the '
                         'matching head overflowed; try fp16=False, or other weights')
    best = scores.masked_fill(~truth, -torch.inf).amax(1, keepdim=True)
    return 1 + ((scores > best) & ~truth).sum(1)


def refine(coarse: Tensor, k: int, probability: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Scores (Q, C) with the best ``k`` candidates of each query refined.

    Args:
        probability: (queries (n,), candidates (n,)) -> probability of a match (n,), in pairs that
            share a query and follow each other.
    """
    k = min(k, coarse.shape[1])
    best = coarse.topk(k, 1).indices
    queries = torch.arange(len(coarse)).repeat_interleave(k)
    refined = coarse - _BELOW
    candidates = best.flatten()
    refined[queries, candidates] = coarse[queries, candidates] + probability(queries, candidates)
    return refined


def text_rows(text: BackboneFeatures, keep: Sequence[str] | None = None
              ) -> list[dict[str, Tensor]]:
    """Each text's features on the CPU, without padding; ``keep`` names fields, None = all."""
    values = {field.name: getattr(text, field.name).cpu() for field in fields(text)
              if isinstance(getattr(text, field.name), Tensor)
              and (keep is None or field.name in keep)}
    number = len(next(iter(values.values())))
    lengths: list[int | None] = [None] * number
    if text.text_mask is not None:
        place = torch.arange(1, text.text_mask.shape[1] + 1)
        lengths = (text.text_mask.cpu() * place).amax(1).tolist()
    # clones: a view would keep the padding
    return [{name: (value[i, :lengths[i]] if name in _BY_TOKEN else value[i]).clone()
             for name, value in values.items()} for i in range(number)]


def text_batch(rows: Sequence[dict[str, Tensor]], device: torch.device) -> BackboneFeatures:
    """Rows of :func:`text_rows` as one batch, padded to the longest."""
    return BackboneFeatures(**{name: pad_sequence([row[name] for row in rows],
                                                  batch_first=True).to(device)
                               if name in _BY_TOKEN else
                               torch.stack([row[name] for row in rows]).to(device)
                               for name in rows[0]})


@LOOPS.register_module()
class RerankTestLoop(TestLoop):
    """Tests a retrieval model whose backbone has ``match_logits(text, video)``.

    The evaluator reports the coarse step; ``rerank/t2v_R1`` and so on come beside its numbers.
    Every video and text is encoded once; features wait in memory on the CPU: those named in
    ``backbone.match_fields`` and ``match_text_fields``, else all.

    Args:
        runner, dataloader, evaluator: as in mmengine's TestLoop.
        fp16: encode and match under autocast (bf16 on a CPU).
        k: candidates of each query that are matched.
        batch_size: pairs matched at a time.

    Raises:
        TypeError: the backbone cannot match pairs, or the head does not predict embeddings.
        ValueError: more than one process.
    """

    def __init__(self, runner, dataloader, evaluator, k: int = 32, batch_size: int = 64,
                 fp16: bool = False) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        if k < 1 or batch_size < 1:
            raise ValueError(f'k and batch_size must be positive, got {k} and {batch_size}')
        if get_world_size() > 1:
            raise ValueError('RerankTestLoop scores all pairs in one process; start it with '
                             'tools/test.py, without a launcher')
        self.k, self.batch_size = k, batch_size

    @torch.no_grad()
    def run(self) -> dict[str, float]:
        """Metrics of both steps."""
        model = self.runner.model
        self._model = unwrapped(model)
        if not hasattr(self._model.backbone, 'match_logits'):
            raise TypeError(f'{type(self._model.backbone).__name__} has no match_logits(text, '
                            'video), so there is nothing to re-rank with; use TestLoop')
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self._model.eval()
        self._videos: list[BackboneFeatures] = []
        self._texts: list[dict[str, Tensor]] = []
        self._rows: dict[str, int] = {}
        embeddings, texts, truth = [], [], []
        for index, batch in enumerate(self.dataloader):
            self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=batch)
            with autocast(enabled=self.fp16):
                predictions = self._encode(batch)
            self.evaluator.process(data_samples=predictions, data_batch=batch)
            for row in predictions:
                if self._rows[row['video_id']] == len(embeddings):
                    emb = row['video_emb']
                    embeddings.append(emb if emb.dim() == 2 else emb[None])
                texts.append(row['text_embs'])
                truth += [self._rows[row['video_id']]] * len(row['text_embs'])
            self.runner.call_hook('after_test_iter', batch_idx=index, data_batch=batch,
                                  outputs=predictions)
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        metrics |= self._rerank(torch.stack(embeddings), torch.cat(texts), torch.tensor(truth))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _encode(self, batch: dict) -> list[dict]:
        """Predictions of the head; features are kept."""
        model = self._model
        if not isinstance(model.head, RetrievalHead):
            raise TypeError(f'{type(model.head).__name__} predicts no embeddings; re-ranking '
                            'needs a RetrievalHead')
        data = model.data_preprocessor(batch, False)
        inputs, samples = data['inputs'], data['data_samples']
        frames = model.backbone.preprocess_frames(inputs['frames'])
        mask = inputs.get('frame_mask')
        video = model.backbone.encode_video(frames, mask, inputs.get('crop'))
        text = model.backbone.encode_text([c for s in samples for c in s.captions or (s.text,)])
        predictions = model.head.embeddings(text, video, samples)
        self._device = frames.device
        self._texts += text_rows(text, getattr(model.backbone, 'match_text_fields', None))
        keep = getattr(model.backbone, 'match_fields', None)
        for i, sample in enumerate(samples):
            if sample.video_id not in self._rows:
                self._rows[sample.video_id] = len(self._videos)
                row = video.select(torch.tensor([i], device=frames.device))
                for field in fields(row):
                    value = getattr(row, field.name)
                    if isinstance(value, Tensor):
                        wanted = keep is None or field.name in keep
                        setattr(row, field.name, value.cpu() if wanted else None)
                self._videos.append(row)
        return predictions

    def _rerank(self, videos: Tensor, texts: Tensor, truth: Tensor) -> dict[str, float]:
        unit = torch.nn.functional.normalize
        videos, texts = unit(videos.float(), dim=-1), unit(texts.float(), dim=-1)
        coarse = torch.stack([(texts @ v.T).amax(-1) for v in videos], 1)
        own = truth[:, None] == torch.arange(len(videos))
        print_log(f're-ranking: the best {self.k} of {len(videos)} videos for {len(texts)} texts, '
                  'and back', logger='current')
        with autocast(enabled=self.fp16):
            t2v = refine(coarse, self.k, lambda text, video: self._probability(text, video))
            v2t = refine(coarse.T.clone(), self.k,
                         lambda video, text: self._probability(text, video))
        scores = {f'rerank/t2v_{name}': value
                  for name, value in rank_statistics(ranks_of_scores(t2v, own)).items()}
        return scores | {f'rerank/v2t_{name}': value for name, value in
                         rank_statistics(ranks_of_scores(v2t, own.T)).items()}

    def _probability(self, texts: Tensor, videos: Tensor) -> Tensor:
        out = []
        for rows in self._chunks(len(texts)):
            text = text_batch([self._texts[i] for i in texts[rows]], self._device)
            picked = [self._videos[i] for i in videos[rows]]
            video = picked[0].merge(type(picked[0])(**{
                field.name: torch.cat([getattr(v, field.name) for v in picked]).to(self._device)
                for field in fields(picked[0])
                if isinstance(getattr(picked[0], field.name), Tensor)}))
            logits = self._model.backbone.match_logits(text, video)
            out.append(logits.float().softmax(-1)[:, 1].cpu())
        return torch.cat(out)

    def _chunks(self, total: int) -> Iterator[slice]:
        for start in range(0, total, self.batch_size):
            yield slice(start, min(start + self.batch_size, total))
