"""DetectorVideoParser: a transformers detector, a tracker, and a CLIP-like scorer.

Objects come from any detector of the DETR family (fixed classes) or from an open-vocabulary one
(OWLv2, Grounding DINO; classes given as words). Attributes and relations are scored by the cosine
between a crop (object, or the union of two objects) and sentences over a vocabulary. The choice
of prompts, the pair gate and the smoothing over frames are ours.

This is the one file of ``parsing.video`` that imports transformers, inside the classes.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finsta.parsing.pretrained import reading_model
from finsta.parsing.video.builder import RelationSpan, Track, build_graph, pixel_box
from finsta.parsing.video.frames import VideoParser
from finsta.parsing.video.tracking import Detections
from finsta.parsing.video.vocab import load_vocabulary
from finsta.registry import SG_PARSERS, TRACKERS
from finsta.structures import DynamicSceneGraph
from finsta.utils.optional import require

# attribute groups: one label of a group holds, or none
ATTRIBUTES = {
    'colour': ('red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'brown', 'black',
               'white', 'gray'),
    'texture': ('striped', 'plain', 'spotted'),
}


@SG_PARSERS.register_module()
class DetectorVideoParser(VideoParser):
    """Detector + tracker + CLIP scores.

    Args:
        detector: folder or hub name of the detector.
        scorer: folder or hub name of a CLIP-like model (text and image features in one space);
            None: objects and tracks only.
        classes: words to look for; needed by open-vocabulary detectors, refused by the others.
        predicates: a shipped list's name, a text file or phrases; see ``vocab``.
        attributes: group -> labels.
        score_thr: detections below are dropped.
        attribute_thr, relation_thr: probability over the group / over the predicates below which
            nothing is said.
        max_objects: detections kept a frame, best first.
        max_pairs: pairs of objects scored a frame, nearest first.
        max_frames: key frames of a video, evenly spread.
        batch_size: pictures in one forward pass.
        device: ``'auto'`` (CUDA when there is one) or a torch device.
        dtype: floating type of the models, e.g. ``'float32'``, ``'bfloat16'``.
        tracker: config of TRACKERS.

    Raises:
        ValueError: ``classes`` missing for, or given to, the wrong kind of detector; a ``device``
            or ``dtype`` that torch does not know.
        CheckpointError: if a folder does not hold the model.
    """

    version = 'DetectorVideoParser/1'

    def __init__(self, detector: str, scorer: str | None = None,
                 classes: Sequence[str] | None = None,
                 predicates: str | Sequence[str] = 'vg50_predicates',
                 attributes: Mapping[str, Sequence[str]] = ATTRIBUTES, score_thr: float = 0.3,
                 attribute_thr: float = 0.3, relation_thr: float = 0.1, max_objects: int = 16,
                 max_pairs: int = 24, max_frames: int = 16, batch_size: int = 8,
                 device: str = 'auto', dtype: str = 'float32',
                 tracker: Mapping[str, Any] | None = None, backend: str = 'auto') -> None:
        super().__init__(max_frames, None, backend)
        if device == 'auto':
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.dtype = getattr(torch, dtype, None)
        try:
            self.device = torch.device(device)
        except RuntimeError as error:
            raise ValueError(f'device={device!r}: {error}') from error
        if not isinstance(self.dtype, torch.dtype) or not self.dtype.is_floating_point:
            raise ValueError(f"dtype={dtype!r} must be a floating type of torch, e.g. 'float32'")
        self.detector = _Detector(detector, classes, self.device, self.dtype)
        self.scorer = None if scorer is None else _Scorer(scorer, self.device, self.dtype,
                                                          batch_size)
        self.predicates = load_vocabulary(predicates)
        self.attributes = {k: list(v) for k, v in attributes.items()}
        self.score_thr, self.attribute_thr = score_thr, attribute_thr
        self.relation_thr = relation_thr
        self.max_objects, self.max_pairs, self.batch_size = max_objects, max_pairs, batch_size
        # labels decide first; boxes of key frames lie far apart, so the gate is wide
        self.tracker = TRACKERS.build(dict(tracker or dict(
            type='IoUHungarianTracker', max_cost=2.0, min_hits=1, max_gap=2)))

    @torch.inference_mode()
    def parse_frames(self, frames: np.ndarray, times: Sequence[float], video: str = ''
                     ) -> DynamicSceneGraph:
        """Frames (n, H, W, 3) uint8 at ``times`` seconds -> graph with n key frames."""
        height, width = frames.shape[1:3]
        found: list[tuple[np.ndarray, list[str], np.ndarray]] = []
        for start in range(0, len(frames), self.batch_size):
            found += self.detector(list(frames[start:start + self.batch_size]), self.score_thr,
                                   self.max_objects)
        chains = self.tracker.track([Detections(b, None, labels) for b, labels, _ in found])
        tracks, boxes = [], []
        for k, chain in enumerate(chains):
            boxes.append({t: found[t][0][j] for t, j in chain})
            tracks.append(Track(
                k, found[chain[0][0]][1][chain[0][1]],
                {t: pixel_box(found[t][0][j], width, height) for t, j in chain},
                score=float(np.mean([found[t][2][j] for t, j in chain]))))
        relations: list[RelationSpan] = []
        if self.scorer is not None and tracks:
            self._add_attributes(frames, tracks, boxes)
            relations = self._relations(frames, tracks, boxes)
        return build_graph(tracks, relations, times, video, (width, height), self.version)

    def _add_attributes(self, frames: np.ndarray, tracks: list[Track],
                        boxes: list[dict[int, np.ndarray]]) -> None:
        """The likeliest label of each group, from the mean of up to 4 crops of a track."""
        crops, owner = [], []
        for k, track in enumerate(boxes):
            seen = sorted(track)
            for t in seen[::max(1, len(seen) // 4)][:4]:
                crops.append(_crop(frames[t], track[t]))
                owner.append(k)
        image = self.scorer.images(crops)
        for k, track in enumerate(tracks):
            rows = image[[i for i, o in enumerate(owner) if o == k]].mean(0, keepdim=True)
            for labels in self.attributes.values():
                texts = [f'a photo of a {label} {track.label}' for label in labels]
                chance = self.scorer.chances(rows, texts)[0]
                best = int(chance.argmax())
                if float(chance[best]) >= self.attribute_thr:
                    track.attributes.append((labels[best], None))

    def _relations(self, frames: np.ndarray, tracks: list[Track],
                   boxes: list[dict[int, np.ndarray]]) -> list[RelationSpan]:
        """The likeliest predicate of each near pair and frame, smoothed over adjacent frames."""
        crops: list[np.ndarray] = []
        rows: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for t in range(len(frames)):
            here = [k for k, b in enumerate(boxes) if t in b]
            pairs = sorted(permutations(here, 2),
                           key=lambda p: _apart(boxes[p[0]][t], boxes[p[1]][t]))
            for a, b in pairs[:self.max_pairs]:
                rows.setdefault((a, b), []).append((t, len(crops)))
                union = np.concatenate([np.minimum(boxes[a][t][:2], boxes[b][t][:2]),
                                        np.maximum(boxes[a][t][2:], boxes[b][t][2:])])
                crops.append(_crop(frames[t], union))
        if not crops:
            return []
        image = self.scorer.images(crops)
        spans: dict[tuple[int, str, int], RelationSpan] = {}
        for (a, b), seen in rows.items():
            texts = [f'a {tracks[a].label} {p} a {tracks[b].label}' for p in self.predicates]
            chance = _smooth(self.scorer.chances(image[[i for _, i in seen]], texts))
            best = chance.argmax(1)
            for (t, _), j, row in zip(seen, best.tolist(), chance, strict=True):
                if float(row[j]) >= self.relation_thr:
                    span = spans.setdefault((a, self.predicates[j], b), RelationSpan(
                        self.predicates[j], a, b, set(), score=0.0))
                    span.frames.add(t)
                    span.score = max(span.score, float(row[j]))
        return list(spans.values())


def is_open_vocabulary(name: str) -> bool:
    """Whether the detector in a folder (or of a hub name) wants words to look for.

    Raises:
        CheckpointError: if the folder does not hold a model.
    """
    hub = require('transformers', 'DetectorVideoParser')
    with reading_model(name, 'detector'):
        config = hub.AutoConfig.from_pretrained(name)
    return type(config) in hub.AutoModelForZeroShotObjectDetection._model_mapping


class _Detector:
    """Pictures -> boxes, labels and scores, for both kinds of detectors."""

    def __init__(self, name: str, classes: Sequence[str] | None, device: torch.device,
                 dtype: torch.dtype) -> None:
        hub = require('transformers', 'DetectorVideoParser')
        open_vocabulary = is_open_vocabulary(name)
        config = hub.AutoConfig.from_pretrained(name)
        if open_vocabulary and not classes:
            raise ValueError(f'{name} ({config.model_type}) is an open-vocabulary detector: give '
                             "classes=['person', ...], the words to look for")
        if classes and not open_vocabulary:
            raise ValueError(f'{name} ({config.model_type}) has its own fixed classes; leave '
                             f'classes={list(classes)} out')
        kind = (hub.AutoModelForZeroShotObjectDetection if open_vocabulary
                else hub.AutoModelForObjectDetection)
        self.classes = list(classes or ())
        with reading_model(name, 'detector'):
            self.model = kind.from_pretrained(name, dtype=dtype).to(device).eval()
            self.processor = (hub.AutoProcessor if open_vocabulary
                              else hub.AutoImageProcessor).from_pretrained(name)
        self.grounding = open_vocabulary and 'grounding' in config.model_type
        self.device, self.dtype = device, dtype

    def __call__(self, pictures: list[np.ndarray], score_thr: float, max_objects: int
                 ) -> list[tuple[np.ndarray, list[str], np.ndarray]]:
        """Per picture: (N, 4) corner boxes in pixels, N labels, (N,) scores, best first."""
        sizes = [p.shape[:2] for p in pictures]
        inputs = self._inputs(pictures)
        outputs = self.model(**inputs)
        if not self.classes:
            rows = self.processor.post_process_object_detection(
                outputs, threshold=score_thr, target_sizes=sizes)
        elif self.grounding:
            rows = self._grounded(outputs, inputs['input_ids'][0], score_thr, sizes)
        else:
            rows = self.processor.post_process_grounded_object_detection(
                outputs, threshold=score_thr, target_sizes=sizes,
                text_labels=[self.classes] * len(pictures))
        return [self._read(row, max_objects) for row in rows]

    def _inputs(self, pictures: list[np.ndarray]) -> dict[str, Tensor]:
        if not self.classes:
            data = self.processor(images=pictures, return_tensors='pt')
        elif self.grounding:
            words = ' '.join(f'{c.lower().replace(".", " ")}.' for c in self.classes)
            data = self.processor(images=pictures, text=[words] * len(pictures),
                                  return_tensors='pt')
        else:
            data = self.processor(images=pictures, text=[self.classes] * len(pictures),
                                  return_tensors='pt')
        return {k: v.to(self.device, self.dtype) if v.is_floating_point() else v.to(self.device)
                for k, v in data.items() if isinstance(v, Tensor)}

    def _grounded(self, outputs: Any, tokens: Tensor, score_thr: float,
                  sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """Rows of Grounding DINO: a box belongs to the class with the likeliest token.

        transformers' own post-processing joins all tokens above a threshold, and so answers with
        mixtures of classes ("cat. dog") that nobody asked for.
        """
        from transformers.image_transforms import center_to_corners_format
        stop = self.processor.tokenizer.convert_tokens_to_ids('.')
        ends = [0, *torch.nonzero(tokens == stop).flatten().tolist()]   # 0: [CLS]
        if len(ends) != len(self.classes) + 1:
            raise ValueError(f'{len(self.classes)} classes do not fit into the {len(tokens)} '
                             'tokens that this detector reads at once; give fewer or shorter '
                             'classes')
        chance = outputs.logits.float().sigmoid()
        by_class = torch.stack([chance[..., a + 1:b].amax(-1) for a, b in pairwise(ends)], -1)
        boxes = center_to_corners_format(outputs.pred_boxes.float())
        rows = []
        for (height, width), box, (score, label) in zip(
                sizes, boxes, zip(*by_class.max(-1), strict=True), strict=True):
            keep = score > score_thr
            rows.append(dict(scores=score[keep],
                             boxes=box[keep] * box.new_tensor([width, height, width, height]),
                             text_labels=[self.classes[k] for k in label[keep].tolist()]))
        return rows

    def _read(self, row: dict[str, Any], max_objects: int
              ) -> tuple[np.ndarray, list[str], np.ndarray]:
        scores = row['scores'].float().cpu().numpy()
        boxes = row['boxes'].float().cpu().numpy().reshape(-1, 4)
        if self.classes:
            labels = [str(v or '') for v in row['text_labels']]
        else:
            names = self.model.config.id2label
            labels = [names[int(v)] for v in row['labels']]
        real = [i for i in np.argsort(-scores, kind='stable').tolist()
                if labels[i] not in ('', 'N/A', 'background') and np.isfinite(boxes[i]).all()]
        real = real[:max_objects]
        return boxes[real], [labels[i].lower() for i in real], scores[real]


class _Scorer:
    """Text and image features of a CLIP-like model; sentences are encoded once."""

    def __init__(self, name: str, device: torch.device, dtype: torch.dtype, batch_size: int
                 ) -> None:
        hub = require('transformers', 'DetectorVideoParser')
        with reading_model(name, 'scorer'):
            self.model = hub.AutoModel.from_pretrained(name, dtype=dtype).to(device).eval()
            self.tokenizer = hub.AutoTokenizer.from_pretrained(name)
            self.processor = hub.AutoImageProcessor.from_pretrained(name)
        self.device, self.dtype, self.batch_size = device, dtype, batch_size
        self._texts: dict[tuple[str, ...], Tensor] = {}

    def images(self, crops: Sequence[np.ndarray]) -> Tensor:
        """Crops (h, w, 3) -> (N, E) unit vectors, fp32."""
        out = []
        for start in range(0, len(crops), self.batch_size):
            pixels = self.processor(images=list(crops[start:start + self.batch_size]),
                                    return_tensors='pt')['pixel_values']
            out.append(_unit(self.model.get_image_features(
                pixel_values=pixels.to(self.device, self.dtype))))
        return torch.cat(out)

    def chances(self, image: Tensor, texts: Sequence[str]) -> Tensor:
        """(N, E) unit vectors x K sentences -> (N, K) probabilities."""
        key = tuple(texts)
        if key not in self._texts:
            if len(self._texts) > 512:
                self._texts.clear()
            rows = []
            for start in range(0, len(texts), 8 * self.batch_size):
                tokens = self.tokenizer(list(texts[start:start + 8 * self.batch_size]),
                                        padding=True, truncation=True, return_tensors='pt')
                rows.append(_unit(self.model.get_text_features(
                    **{k: tokens[k].to(self.device) for k in ('input_ids', 'attention_mask')})))
            self._texts[key] = torch.cat(rows)
        scale = getattr(self.model, 'logit_scale', None)
        scale = 100.0 if scale is None else float(scale.detach().float().exp())
        return (scale * image @ self._texts[key].T).softmax(-1)


def _unit(output: Any) -> Tensor:
    # transformers 5 returns an output object, 4 the tensor itself
    features = getattr(output, 'pooler_output', output).float()
    return torch.nn.functional.normalize(features, dim=-1)


def _crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The picture inside a corner box in pixels, at least 2 x 2."""
    height, width = frame.shape[:2]
    x1, y1 = (int(np.clip(np.floor(v), 0, n - 2)) for v, n in zip(box[:2], (width, height),
                                                                  strict=True))
    x2, y2 = (int(np.clip(np.ceil(v), low + 2, n)) for v, low, n in
              zip(box[2:], (x1, y1), (width, height), strict=True))
    return frame[y1:y2, x1:x2]


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Distance of centres in units of the mean diagonal."""
    centre = np.linalg.norm((a[:2] + a[2:] - b[:2] - b[2:]) / 2)
    size = (np.linalg.norm(a[2:] - a[:2]) + np.linalg.norm(b[2:] - b[:2])) / 2
    return float(centre / max(size, 1e-6))


def _smooth(chance: Tensor) -> Tensor:
    """(n, K) -> mean over each row and its two neighbours."""
    padded = torch.cat([chance[:1], chance, chance[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3
