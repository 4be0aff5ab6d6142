"""PyTorch's side of `scripts/bench train`: a GPT by the book, bf16 autocast or f32, AdamW; one JSON line.

    train_peer.py LAYERS WIDTH HEADS --threads T --repeat R --type bf16|f32

Attention is written out, as this PyTorch has no fused one for CPUs; position embeddings are learned,
the head is the embedding. Random tokens, vocabulary 8192, batch 8 x 256. Medians after a warm-up.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

VOCAB, BATCH, LENGTH = 8192, 8, 256


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, future):
        n, length, width = x.shape
        split = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        weights = scores.masked_fill(future, float("-inf")).softmax(-1)
        mixed = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(n, length, width)
        x = x + self.out(mixed)
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, layers, width, heads):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCAB, width), nn.Embedding(LENGTH, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("future", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1))
        self.register_buffer("at", torch.arange(LENGTH))

    def forward(self, ids):
        x = self.tokens(ids) + self.places(self.at)
        for block in self.blocks:
            x = block(x, self.future)
        return functional.linear(self.norm(x), self.tokens.weight)


def main():
    parser = argparse.ArgumentParser()
    for name in ("layers", "width", "heads"):
        parser.add_argument(name, type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--type", choices=("bf16", "f32"), default="bf16")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = Gpt(args.layers, args.width, args.heads)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)
    seconds = []
    for _ in range(args.repeat + 1):
        ids = torch.randint(VOCAB, (BATCH, LENGTH))
        targets = torch.randint(VOCAB, (BATCH, LENGTH))
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.type == "bf16"):
            logits = model(ids)
        loss = functional.cross_entropy(logits.float().view(-1, VOCAB), targets.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    rates = [BATCH * LENGTH / s for s in seconds[1:]]
    print(json.dumps({"parameters": sum(p.numel() for p in model.parameters()),
                      "torch": torch.__version__, "tokens_per_second": statistics.median(rates),
                      "best": max(rates)}))


main()
