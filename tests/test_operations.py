"""Each operation of Value: its result, and its derivative against finite differences."""
import math
import operator
import random
import unittest

from finite_differences import check_gradients
from microgpt import Value, as_value, linear, log_sum_exp

UNARY = {  # name: (the operation on a Value, the same on a float, its domain)
    "negation": (lambda a: -a, lambda a: -a, (-5, 5)),
    "exp": (lambda a: a.exp(), math.exp, (-5, 5)),
    "log": (lambda a: a.log(), math.log, (0.01, 5)),
    "relu, above its corner": (lambda a: a.relu(), lambda a: a, (0.01, 5)),
    "relu, below its corner": (lambda a: a.relu(), lambda a: 0.0, (-5, -0.01)),
    "square": (lambda a: a ** 2, lambda a: a * a, (-5, 5)),
    "cube": (lambda a: a ** 3, lambda a: a * a * a, (-5, 5)),
    "square root": (lambda a: a ** 0.5, math.sqrt, (0.01, 5)),
    "inverse root": (lambda a: a ** -0.5, lambda a: 1 / math.sqrt(a), (0.01, 5)),
    "inverse": (lambda a: a ** -1, lambda a: 1 / a, (0.01, 5)),
    "inverse of a negative": (lambda a: a ** -1, lambda a: 1 / a, (-5, -0.01)),
    "power 1": (lambda a: a ** 1, lambda a: a, (-5, 5)),
    "power 0": (lambda a: a ** 0, lambda a: 1.0, (-5, 5)),
    "a number plus it": (lambda a: 3 + a, lambda a: 3 + a, (-5, 5)),
    "it plus a number": (lambda a: a + 2.5, lambda a: a + 2.5, (-5, 5)),
    "a number minus it": (lambda a: 3 - a, lambda a: 3 - a, (-5, 5)),
    "it minus a number": (lambda a: a - 2.5, lambda a: a - 2.5, (-5, 5)),
    "a number times it": (lambda a: 3 * a, lambda a: 3 * a, (-5, 5)),
    "it times a number": (lambda a: a * -2.5, lambda a: a * -2.5, (-5, 5)),
    "a number over it": (lambda a: 3 / a, lambda a: 3 / a, (0.1, 5)),
    "it over a number": (lambda a: a / -2.5, lambda a: a / -2.5, (-5, 5)),
    "itself plus itself": (lambda a: a + a, lambda a: 2 * a, (-5, 5)),
    "itself minus itself": (lambda a: a - a, lambda a: 0.0, (-5, 5)),
    "itself times itself": (lambda a: a * a, lambda a: a * a, (-5, 5)),
    "itself over itself": (lambda a: a / a, lambda a: 1.0, (0.1, 5)),
}
BINARY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


class Operations(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(1)

    def test_one_operand_gives_the_same_number_as_plain_arithmetic(self):
        for name, (operation, plain, domain) in UNARY.items():
            for _ in range(20):
                a = self.random.uniform(*domain)
                with self.subTest(name, a=a):
                    self.assertAlmostEqual(operation(Value(a)).data, plain(a), delta=1e-12 * max(1, abs(plain(a))))

    def test_one_operand_has_the_derivative_that_differences_show(self):
        for name, (operation, _, domain) in UNARY.items():
            for _ in range(20):
                a = self.random.uniform(*domain)
                with self.subTest(name, a=a):
                    check_gradients(self, lambda values: operation(values[0]), [a])

    def test_two_operands_give_the_same_number_as_plain_arithmetic(self):
        for name, operation in BINARY.items():
            for _ in range(20):
                a, b = self.random.uniform(-5, 5), self.random.uniform(0.2, 5) * self.random.choice([-1, 1])
                with self.subTest(name, a=a, b=b):
                    self.assertAlmostEqual(operation(Value(a), Value(b)).data, operation(a, b), delta=1e-12)

    def test_two_operands_have_the_derivatives_that_differences_show(self):
        for name, operation in BINARY.items():
            for _ in range(20):
                a, b = self.random.uniform(-5, 5), self.random.uniform(0.2, 5) * self.random.choice([-1, 1])
                with self.subTest(name, a=a, b=b):
                    check_gradients(self, lambda values: operation(*values), [a, b])

    def test_a_weighted_sum_has_the_right_derivative_toward_every_factor(self):
        for n in (1, 2, 7, 32):
            numbers = [self.random.uniform(-3, 3) for _ in range(2 * n)]
            with self.subTest(n=n):
                [result] = linear([Value(a) for a in numbers[:n]], [[Value(b) for b in numbers[n:]]])
                expected = sum([a * b for a, b in zip(numbers[:n], numbers[n:])])
                self.assertAlmostEqual(result.data, expected, delta=1e-12)
                check_gradients(self, lambda values: linear(values[:n], [values[n:]])[0], numbers)

    def test_a_weighted_sum_is_one_node(self):
        x, row = [Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]
        [result] = linear(x, [row])
        self.assertEqual(set(result.inputs), set(x + row))

    def test_log_sum_exp_has_the_right_derivative_toward_every_score(self):
        for n in (1, 2, 7, 32):
            numbers = [self.random.uniform(-4, 4) for _ in range(n)]
            with self.subTest(n=n):
                expected = math.log(sum([math.exp(number) for number in numbers]))
                self.assertAlmostEqual(log_sum_exp([Value(a) for a in numbers]).data, expected, delta=1e-12)
                check_gradients(self, log_sum_exp, numbers)

    def test_relu_is_flat_at_its_corner(self):
        for corner in (0.0, -0.0):
            a = Value(corner)
            result = a.relu()
            result.backward()
            self.assertEqual((result.data, a.grad), (0.0, 0.0))

    def test_powers_of_zero_have_their_derivatives(self):
        for power, expected in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)):
            a = Value(0.0)
            result = a ** power
            result.backward()
            self.assertEqual((result.data, a.grad), (0.0 ** power, expected), power)

    def test_a_value_is_no_power(self):
        for power_of in (lambda a: a ** a, lambda a: 2 ** a):
            with self.assertRaises(TypeError):
                power_of(Value(2.0))

    def test_a_value_and_text_do_not_mix(self):
        for operation in BINARY.values():
            with self.assertRaises(TypeError):
                operation(Value(2.0), "3")

    def test_as_value_wraps_numbers_and_leaves_values_alone(self):
        a = Value(2.0)
        self.assertIs(as_value(a), a)
        self.assertEqual((as_value(3).data, as_value(3).inputs), (3, ()))

    def test_a_value_prints_as_its_number_and_its_gradient(self):
        a = Value(2.0)
        (a * 0.123456).backward()
        self.assertEqual(repr(a), "Value(2, grad=0.1235)")

    def test_random_expressions_with_shared_parts_have_the_right_derivative_toward_every_leaf(self):
        for seed in range(300):
            numbers = [random.Random(seed).uniform(0.5, 2) for _ in range(4)]
            with self.subTest(seed=seed):
                check_gradients(self, lambda leaves: random_expression(random.Random(seed), leaves), numbers)


def random_expression(draw, leaves):
    """A result of 12 random operations, each on any of the leaves and earlier results."""
    values = list(leaves)
    for _ in range(12):
        a, b, c = draw.choice(values), draw.choice(values), draw.choice(values)
        values.append(draw.choice([
            lambda: a + b, lambda: a - b, lambda: a * b, lambda: a / (b * b + 1), lambda: 2 - a, lambda: 1 / (a * a + 1),
            lambda: (a * 0.1).exp() if abs(a.data) < 20 else a * 0.01, lambda: (a * a + 0.5).log(),
            lambda: a.relu() if abs(a.data) > 0.01 else a, lambda: (a * a + 1) ** -0.5, lambda: (a * 0.1) ** 3,
            lambda: linear([a, b], [[b, c]])[0], lambda: log_sum_exp([a, b, c]) if abs(a.data) < 20 else b])())
    return log_sum_exp([value * 0.1 for value in values[-3:]])


if __name__ == "__main__":
    unittest.main()
