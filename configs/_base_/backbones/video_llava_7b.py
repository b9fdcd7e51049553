# Video-LLaVA 7B with LoRA on the language model and a trainable projector; 8 frames of 224 px.
model = dict(
    backbone=dict(
        type='VideoLLaVA',
        pretrained='LanguageBind/Video-LLaVA-7B-hf',
        dtype='bfloat16',
        lora=dict(r=16, alpha=32, dropout=0.05,
                  target_modules=['q_proj', 'k_proj', 'v_proj', 'o_proj']),
        freeze_vision=True,
        num_frames=8,
        max_text_length=64))
