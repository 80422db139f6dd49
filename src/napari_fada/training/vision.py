"""The vision tower of Qwen3.5, written for one size of grey image.

Parameter names and arithmetic are those of ``Qwen3_5VisionModel``; what is left out is what a
fixed square image does not need (ragged batches, interpolated positions, video).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class VisionSize:
    """Dimensions of the tower."""

    image: int = 192
    patch: int = 16
    merge: int = 2
    hidden: int = 192
    ffn: int = 384
    depth: int = 5
    heads: int = 3
    out: int = 192

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image // self.patch

    @property
    def tokens(self) -> int:
        """Image tokens that the language model sees."""
        return (self.grid // self.merge) ** 2


def merge_order(grid: int, merge: int) -> Tensor:
    """Row and column of every patch, in the order the tower takes them (merge blocks first)."""
    rows, cols = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    both = torch.stack([rows, cols], -1).view(grid // merge, merge, grid // merge, merge, 2)
    return both.transpose(1, 2).reshape(-1, 2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding over the whole last dimension."""
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * cos + turned * sin


class PatchEmbed(nn.Module):
    """Patches to vectors; the weight has the shape of the temporal colour convolution."""

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, size.hidden, (2, size.patch, size.patch))

    def forward(self, patches: Tensor) -> Tensor:
        """Run the module."""
        # A grey still has six equal planes (three colours, two times): sum the kernel instead.
        kernel = self.proj.weight.sum(dim=(1, 2)).flatten(1)
        out: Tensor = functional.linear(patches, kernel, self.proj.bias)
        return out


class Attention(nn.Module):
    """Full attention with axial rotary positions."""

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.hidden, 3 * size.hidden)
        self.proj = nn.Linear(size.hidden, size.hidden)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Run the module."""
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        out: Tensor = self.proj(y.transpose(1, 2).reshape(b, n, d))
        return out


class Mlp(nn.Module):
    """Two linear layers around a GELU."""

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        self.linear_fc1 = nn.Linear(size.hidden, size.ffn)
        self.linear_fc2 = nn.Linear(size.ffn, size.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Run the module."""
        out: Tensor = self.linear_fc2(functional.gelu(self.linear_fc1(x), approximate="tanh"))
        return out


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.hidden, eps=1e-6)
        self.norm2 = nn.LayerNorm(size.hidden, eps=1e-6)
        self.attn = Attention(size)
        self.mlp = Mlp(size)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Run the module."""
        x = x + self.attn(self.norm1(x), cos, sin)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Merger(nn.Module):
    """Four neighbouring patches to one image token."""

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        self.width = size.hidden * size.merge**2
        self.norm = nn.LayerNorm(size.hidden, eps=1e-6)
        self.linear_fc1 = nn.Linear(self.width, self.width)
        self.linear_fc2 = nn.Linear(self.width, size.out)

    def forward(self, x: Tensor) -> Tensor:
        """Run the module."""
        x = self.norm(x).reshape(x.shape[0], -1, self.width)
        out: Tensor = self.linear_fc2(functional.gelu(self.linear_fc1(x)))
        return out


class VisionTower(nn.Module):
    """Grey square images to image tokens."""

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        self.size = size
        self.patch_embed = PatchEmbed(size)
        self.pos_embed = nn.Embedding(size.grid**2, size.hidden)
        self.blocks = nn.ModuleList([Block(size) for _ in range(size.depth)])
        self.merger = Merger(size)
        order = merge_order(size.grid, size.merge)
        spatial = size.hidden // size.heads // 2
        inverse = 1.0 / (10000.0 ** (torch.arange(0, spatial, 2).float() / spatial))
        angles = (order[..., None].float() * inverse).flatten(1)
        angles = torch.cat([angles, angles], dim=-1)
        self.cos: Tensor
        self.sin: Tensor
        self.rank: Tensor
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.register_buffer("rank", order[:, 0] * size.grid + order[:, 1], persistent=False)
        self.reset()

    def reset(self) -> None:
        """Start from whitened waves, with content louder than position.

        The patch embedding begins as the lowest cosine waves of a patch, each scaled to about
        unit spread, so that an edge is as loud as a change of brightness from the first step.
        """
        size, proj = self.size, self.patch_embed.proj
        n = torch.arange(size.patch).double()
        waves = torch.cos(torch.pi * (n + 0.5) * n[:, None] / size.patch) * (2 / size.patch) ** 0.5
        waves[0] /= 2**0.5
        frequency = torch.hypot(n[:, None], n[None]).flatten()
        lowest = frequency.argsort()[: size.hidden]
        # Spread of a wave in ultrasound patches, with a floor that keeps speckle quiet.
        spread = 3.3 / (1 + frequency) ** 1.5 + 0.05
        planes = torch.einsum("ux,vy->uvxy", waves, waves).flatten(0, 1) / spread[:, None, None]
        kernel = 0.5 * planes[lowest].float()
        assert proj.bias is not None
        with torch.no_grad():
            proj.weight.copy_((kernel / 6)[:, None, None].expand_as(proj.weight))
            # The mean pixel is about -0.75: there all channels are silent.
            proj.bias.copy_(0.75 * kernel.sum(dim=(1, 2)))
        nn.init.normal_(self.pos_embed.weight, 0.0, 0.1)
        for block in self.blocks:
            assert isinstance(block, Block)
            for linear in (block.attn.proj, block.mlp.linear_fc2):
                nn.init.normal_(linear.weight, 0.0, 0.5 * linear.in_features**-0.5)
                nn.init.zeros_(linear.bias)

    def patches(self, images: Tensor) -> Tensor:
        """Cut ``(b, side, side)`` images in −1…1 into patches in merge order."""
        s = self.size
        b, blocks = images.shape[0], s.grid // s.merge
        x = images.view(b, blocks, s.merge, s.patch, blocks, s.merge, s.patch)
        return x.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, s.grid**2, s.patch**2)

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``(b, side, side)`` images in −1…1 to ``(b, tokens, out)``."""
        x = self.patch_embed(self.patches(images)) + self.pos_embed(self.rank)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        out: Tensor = self.merger(x)
        return out
