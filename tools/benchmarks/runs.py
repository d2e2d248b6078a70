#!/usr/bin/env python3
"""Trains small models and keeps their checkpoints as safetensors files.

usage: python runs.py FOLDER      (Python with torch and safetensors; about two minutes of one core)

Writes FOLDER/SET/step-NNNNNN.safetensors, 10 steps from one file to the next:

  adam_f32   transformer language model, 5.3 million parameters; weights and both moments of Adam
  adam_bf16  the same training, weights alone, rounded to bfloat16 as they are written
  conv_sgd   residual convolutional network; weights, batch statistics and momentum
  pure_bf16  the language model with weights, gradients and moments in bfloat16; weights. The rate is
             2e-4: at 3e-4 weights move more and compress less, at 1e-4 the other way round
  tune       the language model of adam_f32 trained on, on other text: lower half frozen, rate 2e-5

Everything comes from one seed, and one thread computes: the same machine writes the same bytes.
The data has structure that a model finds within some ten steps, because updates that carry
gradient differ from noise, and compress differently. Each set ends with a loss well under the
first; otherwise the program fails.

Tensors are named ROLE/NAME as state files are (spec/executor.md, section 4).
"""
import math
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

SEED = 1
EVERY = 10

VOCABULARY = 4096
WIDTH = 256
LAYERS = 4
HEADS = 8
CONTEXT = 64
BATCH = 8


class Text:
    """A Markov chain of order one: each word has 12 successors, the first ones likelier (Zipf).

    Common words are successors more often, so that most words are rare, as in languages: the rows
    of words that were not read yet have no moments.
    """

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        common = 1 / torch.arange(1, VOCABULARY + 1, dtype=torch.float64)
        self.successors = torch.multinomial(
            common.expand(VOCABULARY, -1), 12, generator=self.generator)
        self.chances = 1 / torch.arange(1, 13, dtype=torch.float64)

    def batch(self):
        """Words and the words after them, both [BATCH, CONTEXT]."""
        picks = torch.multinomial(
            self.chances.expand(BATCH, -1), CONTEXT + 1, replacement=True,
            generator=self.generator)
        words = torch.empty(BATCH, CONTEXT + 1, dtype=torch.int64)
        word = torch.randint(VOCABULARY, (BATCH,), generator=self.generator)
        for place in range(CONTEXT + 1):
            word = self.successors[word, picks[:, place]]
            words[:, place] = word
        return words[:, :-1], words[:, 1:]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.mixed = nn.Linear(WIDTH, 3 * WIDTH)
        self.joined = nn.Linear(WIDTH, WIDTH)
        self.before_hidden = nn.LayerNorm(WIDTH)
        self.hidden = nn.Linear(WIDTH, 4 * WIDTH)
        self.shown = nn.Linear(4 * WIDTH, WIDTH)
        self.register_buffer("future", torch.ones(CONTEXT, CONTEXT).triu(1).bool(), persistent=False)

    def forward(self, values):
        batch, length, _ = values.shape
        query, key, value = (
            part.view(batch, length, HEADS, -1).transpose(1, 2)
            for part in self.mixed(self.before_attention(values)).chunk(3, -1))
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH / HEADS)
        seen = scores.masked_fill(self.future, -math.inf).softmax(-1) @ value
        values = values + self.joined(seen.transpose(1, 2).reshape(batch, length, WIDTH))
        return values + self.shown(functional.gelu(self.hidden(self.before_hidden(values))))


class LanguageModel(nn.Module):
    """A decoder-only transformer with normalization before each part."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.zeros(CONTEXT, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.last = nn.LayerNorm(WIDTH)
        self.logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def loss(self, batch):
        words, following = batch
        values = self.words(words) + self.places
        for block in self.blocks:
            values = block(values)
        logits = self.logits(self.last(values))
        return functional.cross_entropy(logits.flatten(0, 1), following.flatten())


class Pictures:
    """Waves of 16 directions and two lengths, in 32 classes, at any place, coloured, under noise."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.colours = torch.rand(32, 3, 1, 1, generator=self.generator)
        self.axis = torch.linspace(-1, 1, 16)

    def batch(self):
        """Pictures [64, 3, 16, 16] and their classes [64]."""
        classes = torch.randint(32, (64,), generator=self.generator)
        angle = (classes % 16) * (math.pi / 16)
        frequency = 6.0 + 5.0 * (classes // 16)
        phase = 2 * math.pi * torch.rand(64, generator=self.generator)
        along = (angle.cos()[:, None, None] * self.axis[None, :, None]
                 + angle.sin()[:, None, None] * self.axis[None, None, :])
        wave = (along * frequency[:, None, None] + phase[:, None, None]).sin()
        noise = 1.0 * torch.randn(64, 3, 16, 16, generator=self.generator)
        return wave[:, None] * self.colours[classes] + noise, classes


class Residual(nn.Module):
    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.around = nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, values):
        inside = functional.relu(self.first_norm(self.first(values)))
        return functional.relu(self.second_norm(self.second(inside)) + self.around(values))


class PictureModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 48, 3, 1, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(48)
        self.blocks = nn.ModuleList([Residual(48, 48, 1), Residual(48, 96, 2), Residual(96, 192, 2)])
        self.classes = nn.Linear(192, 32)

    def loss(self, batch):
        pictures, classes = batch
        values = functional.relu(self.stem_norm(self.stem(pictures)))
        for block in self.blocks:
            values = block(values)
        return functional.cross_entropy(self.classes(values.mean((2, 3))), classes)


def weights(model, dtype=None):
    """The state as PyTorch names it, under the role of each tensor."""
    trained = {name for name, _ in model.named_parameters()}
    return {
        f"{'weight' if name in trained else 'buffer'}/{name}":
            tensor.detach().to(dtype if dtype and tensor.is_floating_point() else tensor.dtype)
        for name, tensor in model.state_dict().items()}


def moments(model, optimizer):
    """What the optimizer keeps for each weight; the same names as `optimizer.state_dict()`."""
    return {
        f"optimizer/{kind}/{name}": tensor
        for name, parameter in model.named_parameters()
        for kind, tensor in optimizer.state.get(parameter, {}).items()
        if torch.is_tensor(tensor) and tensor.shape == parameter.shape}


def train(name, model, optimizer, data, files, first, keep):
    """Runs the steps and calls `keep(step)` for each of the files.

    Args:
        first: step of the first file. Before it the rate is warmed up, as trainings do.
    """
    losses = []
    rate = optimizer.param_groups[0]["lr"]
    for step in range(1, first + EVERY * (files - 1) + 1):
        optimizer.param_groups[0]["lr"] = rate * min(1, step / first)
        loss = model.loss(data.batch())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step >= first and (step - first) % EVERY == 0:
            keep(step)
    began, ended = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
    print(f"runs: {name}: {files} files, loss {began:.2f} to {ended:.2f}", file=sys.stderr)
    if not ended < 0.97 * began:
        sys.exit(f"runs: error: {name} does not learn; its checkpoints would stand for nothing")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    def write(name, step, tensors):
        path = folder / name / f"step-{step:06}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)

    torch.manual_seed(SEED)
    model = LanguageModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    def keep_adam(step):
        write("adam_f32", step, weights(model) | moments(model, optimizer))
        write("adam_bf16", step, weights(model, torch.bfloat16))

    train("adam", model, optimizer, Text(SEED), 10, 20, keep_adam)

    for part in [model.words, *model.blocks[:LAYERS // 2]]:
        part.requires_grad_(False)
    model.places.requires_grad_(False)
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    train("tune", model, torch.optim.AdamW(moving, lr=2e-5, weight_decay=0.01), Text(SEED + 1), 8, 10,
          lambda step: write("tune", step, weights(model)))

    torch.manual_seed(SEED)
    model = LanguageModel().bfloat16()
    train("pure_bf16", model, torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.01),
          Text(SEED), 8, 20, lambda step: write("pure_bf16", step, weights(model)))

    torch.manual_seed(SEED)
    model = PictureModel()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    train("conv_sgd", model, optimizer, Pictures(SEED), 13, 20,
          lambda step: write("conv_sgd", step, weights(model) | moments(model, optimizer)))


if __name__ == "__main__":
    main()
