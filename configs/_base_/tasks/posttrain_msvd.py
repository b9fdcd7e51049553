# Finsta's post-training on the MSVD training captions, without a backbone.
_base_ = ['../datasets/msvd_posttrain.py', '../schedules/posttrain.py', '../default_runtime.py']

# three stacks of six layers, D 768 (docs/en/design/graph_encoders.md)
teacher = dict(
    encoder=dict(dim=768, num_heads=8),
    osc=dict(type='ObjectSpatialContrast', temperature=0.07, hops=2, negatives='batch'),
    ptc=dict(type='PredicateTemporalContrast', temperature=0.07, hops=2, negatives='batch'),
    weights=dict(osc=1.0, ptc=1.0, graph=1.0),
    embed_dim=512)
transfer = [
    dict(type='PooledTransfer', weight=1.0),
    dict(type='NodeTransfer', weight=1.0),
    dict(type='RelationalTransfer', weight=1.0),
    dict(type='TokenAlignment', weight=0.5, dim=256),
]
# a caption against its false versions, a clip against its backward copy (ours; deviations.md)
choice = dict(type='CaptionChoice')
reversal = dict(type='VideoChoice')
