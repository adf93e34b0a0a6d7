"""The functions: what they refuse, and what they cost."""
import gc
import unittest

from program import model_of, values
from microgpt import (BOS, adam, add, document_loss, dot, encode, gpt, new_cache, new_model,
                      parameters, sample)

VOCAB = ["a", "b", "c", "d", BOS]


def small_model(**settings):
    return model_of(len(VOCAB), **settings)


class Refused(unittest.TestCase):
    def test_dot_and_add_refuse_unequal_lengths_and_name_both(self):
        for function in (dot, add):
            for m, n in ((2, 3), (3, 2), (0, 1)):
                with self.assertRaisesRegex(AssertionError, rf"\b{m}\b.*\b{n}\b"):
                    function(values(*[1.0] * m), values(*[1.0] * n))

    def test_a_matrix_widened_alone_is_an_error_and_not_cut_silently(self):
        for name in ("mlp_fc1", "attn_wo"):
            model = model_of(vocab_size=3, n_layer=1)
            model["layers"][0][name] *= 2
            with self.subTest(name), self.assertRaises(AssertionError):
                document_loss([2, 0, 1, 2], model)

    def test_an_unknown_letter_is_named_beside_those_that_are_known(self):
        for call in (lambda: encode("abBa", VOCAB), lambda: sample(small_model(), VOCAB, 1, "B")):
            with self.assertRaisesRegex(AssertionError, "'B'.*'a', 'b', 'c', 'd'"):
                call()

    def test_heads_that_do_not_divide_the_width_are_refused_with_both_values(self):
        for n_head in (3, 0, -2, 32):
            with self.assertRaisesRegex(AssertionError, f"n_head = {n_head} .*n_embd = 16$"):
                new_model(5, 1, 16, n_head, 6)

    def test_a_cache_that_does_not_fit_is_an_error_and_skips_no_layer(self):
        model = small_model(n_layer=2)
        others = [small_model(n_layer=1), small_model(n_head=1), small_model(n_head=4)]
        for cache in ([], [[], []], *map(new_cache, others)):
            with self.assertRaises((IndexError, AssertionError)):
                gpt(0, 0, cache, model)

    def test_a_temperature_that_is_not_above_0_is_refused(self):
        for temperature in (0, -1, 0.0):
            with self.assertRaisesRegex(AssertionError, f"temperature.*{temperature}"):
                sample(small_model(), VOCAB, temperature)


class Costs(unittest.TestCase):
    def test_work_grows_no_faster_than_the_multiplications_a_gpt_needs(self):
        def work(length, n_embd, n_layer):
            """Return how many edges the graph has for each multiplication that a GPT needs."""
            model = small_model(n_layer=n_layer, n_embd=n_embd, block_size=length)
            nodes = fresh = {document_loss([i % 5 for i in range(length + 1)], model)}
            while fresh:
                fresh = {value for node in fresh for value in node.inputs} - nodes
                nodes = nodes | fresh
            weights = 5 * n_embd + n_layer * 12 * n_embd ** 2  # each is used at each position
            multiplications = length * weights + n_layer * length ** 2 * n_embd
            return sum([len(node.inputs) for node in nodes]) / multiplications

        small = dict(length=4, n_embd=8, n_layer=2)
        for setting in small:
            large = dict(small, **{setting: 5 * small[setting]})
            self.assertLess(work(**large), 1.25 * work(**small), setting)

    def test_forty_layers_train(self):
        model = small_model(n_layer=40)
        document_loss([4, 0, 1, 4], model).backward()
        grads = [weight.grad for weight in parameters(model["layers"][0]["attn_wv"])]
        self.assertNotIn(0.0, grads)

    @unittest.skipUnless(hasattr(gc, "is_tracked"), "only CPython counts references")
    def test_a_step_and_a_sample_leave_nothing_for_the_garbage_collector(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        model = small_model()
        params = parameters(model)
        m, v = [0.0] * len(params), [0.0] * len(params)
        alive = []
        for step in range(3):
            document_loss([4, 0, 1, 4], model).backward()
            adam(params, m, v, step, 0.01)
            sample(model, VOCAB)
            alive.append(len(gc.get_objects()))
        self.assertEqual(gc.collect(), 0)             # there are no cycles,
        self.assertLessEqual(alive[2], alive[1] + 5)  # and nothing is kept from step to step


if __name__ == "__main__":
    unittest.main()
