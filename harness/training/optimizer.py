"""AdamW in TensorFlow's fused kernels.

Keras' optimizer computes each variable's step in a dozen operations, each of which passes over
memory; here it is two kernels. The numbers are those of ``keras.optimizers.AdamW``.
"""

from collections.abc import Sequence
from typing import Any

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # Keras' own


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).

    Makes a first and a second moment for each of ``variables``, so it belongs where these were
    made: inside a strategy's scope where there is one.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        import tensorflow as tf

        self.variables, self.decay = list(variables), decay
        self.first, self.second = ([tf.Variable(tf.zeros_like(v)) for v in self.variables]
                                   for _ in range(2))

    @property
    def moments(self) -> list[Any]:
        return [*self.first, *self.second]

    def apply(self, gradients: Sequence[Any], rate: Any, step: Any) -> None:
        """Change the variables by their gradients; rate: the learning rate, step: 1 at first."""
        import tensorflow as tf

        power_1, power_2 = (tf.cast(beta, "float32") ** tf.cast(step, "float32")
                            for beta in (BETA_1, BETA_2))
        for variable, first, second, gradient in zip(self.variables, self.first, self.second,
                                                     gradients, strict=True):
            if self.decay:
                subtract(variable, rate * self.decay, variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=first.handle, v=second.handle, beta1_power=power_1,
                beta2_power=power_2, lr=rate, beta1=BETA_1, beta2=BETA_2, epsilon=EPSILON,
                grad=gradient)


def subtract(variable: Any, factor: Any, amount: Any) -> None:
    """variable -= factor * amount, in one kernel."""
    import tensorflow as tf

    tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=factor,
                                            delta=tf.convert_to_tensor(amount))
