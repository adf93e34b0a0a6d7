"""How the tests check a derivative: move the input a little to either side and see how the result moves.

The central difference (f(x + h) - f(x - h)) / 2h misses the true slope for two reasons. The curve bends: an
error of about h^2 |f'''| / 6. And f comes with a rounding error of about eps |f|, where eps = 2.2e-16 is the
spacing of doubles near 1: a further error of up to eps |f| / h. The first grows with h, the second shrinks;
for f and f''' of about the same size they balance near h = eps^(1/3) = 6e-6, where both are around 1e-11.
So a right derivative agrees to far better than 1e-6 of its size, but for that rounding noise where the slope
is tiny beside f itself; a wrong one (a sign, a factor, a forgotten term) misses by far more.
"""
import sys

from microgpt import Value

EPS = sys.float_info.epsilon
STEP = EPS ** (1 / 3)
RELATIVE = 1e-6


def slope(function, x):
    """(the central difference of function at x, the rounding noise that is in it)"""
    low, high = x - STEP * max(1, abs(x)), x + STEP * max(1, abs(x))
    f_low, f_high = function(low), function(high)
    noise = 50 * EPS * max(abs(f_low), abs(f_high), 1e-3) / (high - low)  # 50: a result has many roundings
    return (f_high - f_low) / (high - low), noise


def check_gradients(test, function, numbers):
    """Compare what backward() finds with the slope, for function([Value, ...]) -> Value, toward each number."""
    leaves = [Value(number) for number in numbers]
    function(leaves).backward()
    for i, leaf in enumerate(leaves):
        def moved(x):
            return function([Value(x if j == i else number) for j, number in enumerate(numbers)]).data
        expected, noise = slope(moved, numbers[i])
        test.assertLessEqual(abs(leaf.grad - expected), RELATIVE * abs(expected) + noise,
                             f"input {i} of {numbers}: backward() says {leaf.grad}, the slope is {expected}")


def check_weights(test, loss_of, weights):
    """The same for weights in place: loss_of() -> Value is computed from them anew at each call."""
    for weight in weights:
        weight.grad = 0.0
    loss_of().backward()
    found = [weight.grad for weight in weights]
    for i, weight in enumerate(weights):
        before = weight.data

        def moved(x):
            weight.data = x
            return loss_of().data
        expected, noise = slope(moved, before)
        weight.data = before
        test.assertLessEqual(abs(found[i] - expected), RELATIVE * abs(expected) + noise,
                             f"weight {i}: backward() says {found[i]}, the slope is {expected}")
