"""Fourth: does Adam take the steps that its paper describes? Here they are worked out by hand."""
import math
import unittest

from program import values
from microgpt import Value, adam


class AdamByHand(unittest.TestCase):
    def test_three_steps_by_hand(self):
        param = Value(1.0)
        m, v = [0.0], [0.0]
        betas = dict(beta1=0.5, beta2=0.75)

        param.grad = 4.0
        adam([param], m, v, step=0, rate=0.1, eps=0.0, **betas)
        self.assertEqual((m, v), ([0.5 * 0 + 0.5 * 4], [0.75 * 0 + 0.25 * 4 ** 2]))
        self.assertEqual((2 / (1 - 0.5), 4 / (1 - 0.75)), (4, 16))  # corrected: grad, grad ** 2
        self.assertAlmostEqual(param.data, 1.0 - 0.1 * 4 / math.sqrt(16), delta=1e-15)

        param.grad = -2.0
        adam([param], m, v, step=1, rate=0.1, eps=0.0, **betas)
        self.assertEqual((m, v), ([0.5 * 2 + 0.5 * -2], [0.75 * 4 + 0.25 * (-2) ** 2]))
        self.assertAlmostEqual(param.data, 0.9, delta=1e-15)  # as m is 0

        param.grad = 1.0
        adam([param], m, v, step=2, rate=0.2, eps=0.5, **betas)
        self.assertEqual((m, v), ([0.5 * 0 + 0.5 * 1], [0.75 * 4 + 0.25 * 1 ** 2]))
        m_hat, v_hat = 0.5 / (1 - 0.5 ** 3), 3.25 / (1 - 0.75 ** 3)
        expected = 0.9 - 0.2 * m_hat / (math.sqrt(v_hat) + 0.5)
        self.assertAlmostEqual(param.data, expected, delta=1e-15)

    def test_the_default_settings_are_the_published_ones(self):
        default, explicit = values(1.0, 1.0)
        moments = [[0.0] for _ in range(4)]
        for step, grad in enumerate((3.0, -1.0, 1e-9)):
            default.grad = explicit.grad = grad
            adam([default], *moments[:2], step, 0.01)
            adam([explicit], *moments[2:], step, 0.01, beta1=0.85, beta2=0.99, eps=1e-8)
        self.assertNotEqual(default.data, 1.0)
        self.assertEqual(default.data, explicit.data)

    def test_the_first_step_is_as_long_as_the_rate_whatever_the_gradient(self):
        params = values(0.0, 0.0, 0.0, 0.0)
        for param, grad in zip(params, (1e-3, 5.0, -1e6, 0.0)):
            param.grad = grad
        adam(params, [0.0] * 4, [0.0] * 4, 0, 0.01)
        for param, expected in zip(params, (-0.01, -0.01, 0.01, 0.0)):
            self.assertAlmostEqual(param.data, expected, delta=1e-6)
        self.assertEqual([param.grad for param in params], [0.0] * 4)  # ready for the next step

    def test_each_weight_has_running_means_of_its_own(self):
        both, alone = values(1.0, 1.0), values(1.0)
        m, v, m_alone, v_alone = [0.0, 0.0], [0.0, 0.0], [0.0], [0.0]
        for step, (grad_a, grad_b) in enumerate(((1.0, -7.0), (2.0, 3.0), (-1.0, 0.0))):
            both[0].grad, both[1].grad, alone[0].grad = grad_a, grad_b, grad_a
            adam(both, m, v, step, 0.1)
            adam(alone, m_alone, v_alone, step, 0.1)
        self.assertEqual(both[0].data, alone[0].data)


if __name__ == "__main__":
    unittest.main()
