"""Fourth: does Adam take the steps that its paper describes? Here they are worked out by hand."""
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from microgpt import Adam, Value


class AdamByHand(unittest.TestCase):
    def test_three_steps_by_hand(self):
        param = Value(1.0)
        adam = Adam([param])

        param.grad = 4.0
        adam.step(0.1, beta1=0.5, beta2=0.75, eps=0.0)
        m, v = 0.5 * 0 + 0.5 * 4, 0.75 * 0 + 0.25 * 4 ** 2
        self.assertEqual((m / (1 - 0.5), v / (1 - 0.75)), (4, 16))  # corrected: grad, grad ** 2
        self.assertAlmostEqual(param.data, 1.0 - 0.1 * 4 / math.sqrt(16), delta=1e-15)

        param.grad = -2.0
        adam.step(0.1, beta1=0.5, beta2=0.75, eps=0.0)
        m, v = 0.5 * m + 0.5 * -2, 0.75 * v + 0.25 * (-2) ** 2
        self.assertEqual(m, 0)  # so the weight stays where it is
        self.assertAlmostEqual(param.data, 0.9, delta=1e-15)

        param.grad = 1.0
        adam.step(0.2, beta1=0.5, beta2=0.75, eps=0.5)
        m, v = 0.5 * m + 0.5 * 1, 0.75 * v + 0.25 * 1 ** 2
        m_hat, v_hat = m / (1 - 0.5 ** 3), v / (1 - 0.75 ** 3)
        expected = 0.9 - 0.2 * m_hat / (math.sqrt(v_hat) + 0.5)
        self.assertAlmostEqual(param.data, expected, delta=1e-15)

    def test_the_default_settings_are_the_published_ones(self):
        default, explicit = Value(1.0), Value(1.0)
        adam, published = Adam([default]), Adam([explicit])
        for grad in (3.0, -1.0, 1e-9):
            default.grad = explicit.grad = grad
            adam.step(0.01)
            published.step(0.01, beta1=0.85, beta2=0.99, eps=1e-8)
        self.assertEqual(default.data, explicit.data)

    def test_the_first_step_is_as_long_as_the_learning_rate_whatever_the_gradient(self):
        params = [Value(0.0) for _ in range(4)]
        for param, grad in zip(params, (1e-3, 5.0, -1e6, 0.0)):
            param.grad = grad
        Adam(params).step(0.01)
        for param, expected in zip(params, (-0.01, -0.01, 0.01, 0.0)):
            self.assertAlmostEqual(param.data, expected, delta=1e-6)
        self.assertEqual([param.grad for param in params], [0.0] * 4)  # ready for the next step

    def test_each_weight_has_running_means_of_its_own(self):
        a, b, alone = Value(1.0), Value(1.0), Value(1.0)
        both, single = Adam([a, b]), Adam([alone])
        for grad_a, grad_b in ((1.0, -7.0), (2.0, 3.0), (-1.0, 0.0)):
            a.grad, b.grad, alone.grad = grad_a, grad_b, grad_a
            both.step(0.1)
            single.step(0.1)
        self.assertEqual(a.data, alone.data)


if __name__ == "__main__":
    unittest.main()
