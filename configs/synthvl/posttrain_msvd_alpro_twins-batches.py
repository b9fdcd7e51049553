# The control of posttrain_msvd_alpro_twins.py, but clips with similar text graphs stand side by side.
_base_ = './posttrain_msvd_alpro_twins-neighbours.py'
model = dict(neighbours=None)
