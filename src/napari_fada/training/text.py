"""The language model of Qwen3.5 (gated delta net and gated attention), lean enough to train on CPU.

Names and arithmetic are those of ``Qwen3_5TextModel``. A forward pass takes and returns the
state of what came before, so that an image is run through once and many questions go on from it,
as the engine does when it reads a scan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_fada.training.vision import rotate

#: State of one layer: keys and values, or convolution inputs and memory.
State = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TextSize:
    """Dimensions of the language model."""

    vocabulary: int
    hidden: int = 192
    ffn: int = 512
    layers: tuple[str, ...] = ("linear", "full", "linear", "full")
    heads: int = 3
    kv_heads: int = 1
    head: int = 64
    rotary: int = 32
    sections: tuple[int, int, int] = (6, 5, 5)
    theta: float = 10000.0
    linear_heads: int = 3
    linear_head: int = 64
    kernel: int = 4


class RMSNorm(nn.Module):
    """Root-mean-square norm whose weight is stored as a difference from one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Run the module."""
        return functional.rms_norm(x, (x.shape[-1],), 1.0 + self.weight, 1e-6)


class GatedNorm(nn.Module):
    """Root-mean-square norm, then a SiLU gate."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        """Run the module."""
        return functional.rms_norm(x, (x.shape[-1],), self.weight, 1e-6) * functional.silu(gate)


def delta_rule(
    q: Tensor, k: Tensor, v: Tensor, g: Tensor, beta: Tensor, state: Tensor | None, chunk: int = 32
) -> tuple[Tensor, Tensor]:
    """Gated delta rule by chunks; the triangular systems are solved, not looped over.

    Parameters
    ----------
    q, k, v
        ``(b, heads, t, width)``, q and k of unit length.
    g, beta
        ``(b, heads, t)``: log decay and write strength.
    state
        ``(b, heads, width, width)`` memory of what came before, or ``None``.
    chunk
        Tokens solved at once.

    Returns
    -------
    out, state
        What is read at each token, and the memory after the last.
    """
    b, h, t, d = q.shape
    pad = -t % chunk
    if pad:
        q, k, v = (functional.pad(x, (0, 0, 0, pad)) for x in (q, k, v))
        g, beta = (functional.pad(x, (0, pad)) for x in (g, beta))
    n = (t + pad) // chunk
    q, k, v = (x.reshape(b, h, n, chunk, d) for x in (q * d**-0.5, k, v))
    g, beta = (x.reshape(b, h, n, chunk) for x in (g, beta))
    total = g.cumsum(-1)
    lower = torch.ones(chunk, chunk, dtype=torch.bool).tril()
    decay = (total[..., :, None] - total[..., None, :]).masked_fill(~lower, -torch.inf).exp()
    kb = k * beta[..., None]
    keys = k.transpose(-1, -2)
    system = (kb @ keys) * decay
    right = torch.cat([v * beta[..., None], kb * total.exp()[..., None]], dim=-1)
    solved = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
    new, read = solved[..., :d], solved[..., d:]
    inner = (q @ keys) * decay
    q = q * total.exp()[..., None]
    k = k * (total[..., -1:] - total).exp()[..., None]
    last = total[..., -1].exp()[..., None, None]
    memory = torch.zeros(b, h, d, d) if state is None else state
    outs = []
    for i in range(n):
        written = new[:, :, i] - read[:, :, i] @ memory
        outs.append(q[:, :, i] @ memory + inner[:, :, i] @ written)
        memory = memory * last[:, :, i] + k[:, :, i].transpose(-1, -2) @ written
    return torch.cat(outs, dim=2)[:, :, :t], memory


class LinearAttention(nn.Module):
    """Gated delta net."""

    def __init__(self, size: TextSize) -> None:
        super().__init__()
        self.heads, self.head, self.kernel = size.linear_heads, size.linear_head, size.kernel
        width = self.heads * self.head
        self.in_proj_qkv = nn.Linear(size.hidden, 3 * width, bias=False)
        self.in_proj_z = nn.Linear(size.hidden, width, bias=False)
        self.in_proj_b = nn.Linear(size.hidden, self.heads, bias=False)
        self.in_proj_a = nn.Linear(size.hidden, self.heads, bias=False)
        self.conv1d = nn.Conv1d(3 * width, 3 * width, size.kernel, groups=3 * width, bias=False)
        # Memories that last a few and those that last a few hundred tokens.
        spread = torch.exp(torch.linspace(math.log(0.005), math.log(0.2), self.heads))
        self.dt_bias = nn.Parameter(spread + torch.log(-torch.expm1(-spread)))
        self.A_log = nn.Parameter(torch.zeros(self.heads))
        self.norm = GatedNorm(self.head)
        self.out_proj = nn.Linear(width, size.hidden, bias=False)

    def forward(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run the module."""
        b, t, _ = x.shape
        mixed = self.in_proj_qkv(x)
        before = mixed.new_zeros(b, self.kernel - 1, mixed.shape[-1]) if state is None else state[0]
        mixed = torch.cat([before, mixed], dim=1)
        kernel = self.conv1d.weight[:, 0]
        conv = sum(mixed[:, j : j + t] * kernel[:, j] for j in range(self.kernel))
        assert isinstance(conv, Tensor)
        q, k, v = (
            y.view(b, t, self.heads, self.head).transpose(1, 2)
            for y in functional.silu(conv).chunk(3, dim=-1)
        )
        q, k = (y * torch.rsqrt(y.square().sum(-1, keepdim=True) + 1e-6) for y in (q, k))
        g = -self.A_log.exp() * functional.softplus(self.in_proj_a(x) + self.dt_bias)
        beta = self.in_proj_b(x).sigmoid()
        out, memory = delta_rule(
            q, k, v, g.transpose(1, 2), beta.transpose(1, 2), None if state is None else state[1]
        )
        z = self.in_proj_z(x).view(b, t, self.heads, self.head)
        out = self.norm(out.transpose(1, 2), z).reshape(b, t, -1)
        return self.out_proj(out), (mixed[:, t:], memory)


class FullAttention(nn.Module):
    """Grouped attention with an output gate, normed queries and keys, rotary positions."""

    def __init__(self, size: TextSize) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head = size.heads, size.kv_heads, size.head
        self.rotary = size.rotary
        self.q_proj = nn.Linear(size.hidden, 2 * self.heads * self.head, bias=False)
        self.k_proj = nn.Linear(size.hidden, self.kv_heads * self.head, bias=False)
        self.v_proj = nn.Linear(size.hidden, self.kv_heads * self.head, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head, size.hidden, bias=False)
        self.q_norm = RMSNorm(self.head)
        self.k_norm = RMSNorm(self.head)

    def _turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        return torch.cat([rotate(x[..., : self.rotary], cos, sin), x[..., self.rotary :]], dim=-1)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, state: State | None
    ) -> tuple[Tensor, State]:
        """Run the module."""
        b, t, _ = x.shape
        q, gate = self.q_proj(x).view(b, t, self.heads, 2 * self.head).chunk(2, dim=-1)
        k = self.k_proj(x).view(b, t, self.kv_heads, self.head)
        v = self.v_proj(x).view(b, t, self.kv_heads, self.head).transpose(1, 2)
        q = self._turn(self.q_norm(q).transpose(1, 2), cos, sin)
        k = self._turn(self.k_norm(k).transpose(1, 2), cos, sin)
        if state is not None:
            k, v = torch.cat([state[0], k], dim=2), torch.cat([state[1], v], dim=2)
        mask = torch.ones(t, k.shape[2], dtype=torch.bool).tril(k.shape[2] - t)
        out = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, enable_gqa=self.heads != self.kv_heads
        )
        out = out.transpose(1, 2).reshape(b, t, -1) * gate.reshape(b, t, -1).sigmoid()
        return self.o_proj(out), (k, v)


class TextMlp(nn.Module):
    """SwiGLU."""

    def __init__(self, size: TextSize) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(size.hidden, size.ffn, bias=False)
        self.up_proj = nn.Linear(size.hidden, size.ffn, bias=False)
        self.down_proj = nn.Linear(size.ffn, size.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run the module."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """One decoder layer of either kind."""

    def __init__(self, size: TextSize, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "linear":
            self.linear_attn = LinearAttention(size)
        else:
            self.self_attn = FullAttention(size)
        self.mlp = TextMlp(size)
        self.input_layernorm = RMSNorm(size.hidden)
        self.post_attention_layernorm = RMSNorm(size.hidden)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, state: State | None
    ) -> tuple[Tensor, State]:
        """Run the module."""
        normed = self.input_layernorm(x)
        if self.kind == "linear":
            mixed, state = self.linear_attn(normed, state)
        else:
            mixed, state = self.self_attn(normed, cos, sin, state)
        x = x + mixed
        return x + self.mlp(self.post_attention_layernorm(x)), state


class TextModel(nn.Module):
    """Embeddings and states in, normed hidden vectors and states out."""

    def __init__(self, size: TextSize) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList([Layer(size, kind) for kind in size.layers])
        self.norm = RMSNorm(size.hidden)
        half = torch.arange(0, size.rotary, 2).float()
        self.inverse: Tensor
        self.axis: Tensor
        self.register_buffer("inverse", size.theta ** (-half / size.rotary), persistent=False)
        # Interleaved sections: which of time, row, column turns each frequency.
        axis = torch.zeros(size.rotary // 2, dtype=torch.long)
        for dim in (1, 2):
            axis[dim : size.sections[dim] * 3 : 3] = dim
        self.register_buffer("axis", axis, persistent=False)

    def forward(
        self, x: Tensor, positions: Tensor, states: list[State] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Run ``(b, t, hidden)`` embeddings at ``(3, t)`` positions."""
        angles = positions.float()[self.axis].T * self.inverse
        angles = torch.cat([angles, angles], dim=-1)
        cos, sin = angles.cos(), angles.sin()
        after: list[State] = []
        for i, layer in enumerate(self.layers):
            x, state = layer(x, cos, sin, None if states is None else states[i])
            after.append(state)
        return self.norm(x), after
