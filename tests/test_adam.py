"""Adam, against numbers worked out by hand."""
import math
import unittest

from microgpt import Adam, Value


class AdamTest(unittest.TestCase):
    def test_two_steps_worked_out_by_hand(self):
        param = Value(1.0)
        adam = Adam([param])

        param.grad = 4.0
        adam.step(0.1, beta1=0.5, beta2=0.75, epsilon=0.0)
        # mean = 0.5 * 0 + 0.5 * 4 = 2, filled to 1 - 0.5 = 0.5: 2 / 0.5 = 4
        # square = 0.75 * 0 + 0.25 * 16 = 4, filled to 1 - 0.75 = 0.25: 4 / 0.25 = 16
        self.assertAlmostEqual(param.data, 1.0 - 0.1 * 4 / math.sqrt(16), delta=1e-15)  # 0.9

        param.grad = -2.0
        adam.step(0.1, beta1=0.5, beta2=0.75, epsilon=0.0)
        # mean = 0.5 * 2 + 0.5 * -2 = 0, so it stays where it is
        self.assertAlmostEqual(param.data, 0.9, delta=1e-15)

        param.grad = 1.0
        adam.step(0.2, beta1=0.5, beta2=0.75, epsilon=0.5)
        # mean = 0.5 * 0 + 0.5 * 1 = 0.5, filled to 1 - 0.5^3 = 0.875: 4/7
        # square = 0.75 * (0.75 * 4 + 0.25 * 4) + 0.25 * 1 = 3.25, filled to 1 - 0.75^3 = 0.578125
        self.assertAlmostEqual(param.data, 0.9 - 0.2 * (4 / 7) / (math.sqrt(3.25 / 0.578125) + 0.5), delta=1e-15)

    def test_the_published_settings_are_the_default(self):
        param, other = Value(1.0), Value(1.0)
        adam, explicit = Adam([param]), Adam([other])
        for grad in (3.0, -1.0, 1e-9):
            param.grad = other.grad = grad
            adam.step(0.01)
            explicit.step(0.01, beta1=0.85, beta2=0.99, epsilon=1e-8)
        self.assertEqual(param.data, other.data)

    def test_the_first_step_moves_every_parameter_by_the_rate_however_large_its_gradient(self):
        params = [Value(0.0) for _ in range(3)]
        for param, grad in zip(params, (1e-3, 5.0, -1e6)):
            param.grad = grad
        Adam(params).step(0.01)
        for param, expected in zip(params, (-0.01, -0.01, 0.01)):
            self.assertAlmostEqual(param.data, expected, delta=1e-6)

    def test_gradients_are_zero_afterward(self):
        params = [Value(1.0), Value(2.0)]
        for param in params:
            param.grad = 3.0
        Adam(params).step(0.01)
        self.assertEqual([param.grad for param in params], [0.0, 0.0])

    def test_a_parameter_without_a_gradient_stays_where_it_is(self):
        param = Value(1.5)
        Adam([param]).step(0.01)
        self.assertEqual(param.data, 1.5)

    def test_each_parameter_has_averages_of_its_own(self):
        together, alone = [Value(1.0), Value(1.0)], Value(1.0)
        both, single = Adam(together), Adam([alone])
        for a, b in ((1.0, -7.0), (2.0, 3.0), (-1.0, 0.0)):
            together[0].grad, together[1].grad, alone.grad = a, b, a
            both.step(0.1)
            single.step(0.1)
        self.assertEqual(together[0].data, alone.data)

    def test_two_optimizers_do_not_share_their_averages_or_steps(self):
        first, second = Value(1.0), Value(1.0)
        used = Adam([first])
        for _ in range(5):
            first.grad = 1.0
            used.step(0.1)
        second.grad = -2.0
        Adam([second]).step(0.1)
        self.assertAlmostEqual(second.data, 1.1, delta=1e-6)

    def test_it_goes_down_a_valley(self):
        x, y = Value(5.0), Value(-3.0)
        adam = Adam([x, y])
        for _ in range(400):
            ((x - 1) ** 2 + 10 * (y - 2) ** 2).backward()
            adam.step(0.05)
        self.assertAlmostEqual(x.data, 1, delta=0.01)
        self.assertAlmostEqual(y.data, 2, delta=0.01)


if __name__ == "__main__":
    unittest.main()
