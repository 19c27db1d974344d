"""Options about bringing a model into memory."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infinipot_cli import settings

_PANEL = "Loading the model"


@dataclass(frozen=True)
class LoadingOptions:
    """Where a model computes, in which numbers, and what of its folder is trusted."""

    device: Annotated[
        str,
        typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_PANEL),
    ] = "auto"
    dtype: Annotated[
        settings.Dtype, typer.Option("--dtype", help="Number format of the weights.", rich_help_panel=_PANEL)
    ] = settings.Dtype.AUTO
    attention: Annotated[
        settings.Attention, typer.Option("--attn", help="Implementation of attention.", rich_help_panel=_PANEL)
    ] = settings.Attention.AUTO
    quantize: Annotated[
        settings.Quantization,
        typer.Option("--quantize", help="Round the weights to fewer bits while loading.", rich_help_panel=_PANEL),
    ] = settings.Quantization.NONE
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run code that lies in the model's folder.", rich_help_panel=_PANEL),
    ] = False
    allow_pickle: Annotated[
        bool,
        typer.Option("--allow-pickle", help="Read weights that are not safetensors.", rich_help_panel=_PANEL),
    ] = False
    think: Annotated[
        bool,
        typer.Option("--think", help="Let the model reason first, and print that too.", rich_help_panel=_PANEL),
    ] = False

    def loading(self) -> settings.Loading:
        """The same as the session takes it.

        Raises:
            UsageError: there is no such device.
        """
        return settings.Loading(
            self.device,
            self.dtype,
            self.attention,
            self.quantize,
            self.trust_remote_code,
            self.allow_pickle,
            self.think,
        )
