"""Third: does the model do what makes it a GPT? From its parts to reading, loss and samples."""
import math
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from microgpt import (BOS, GPT, Value, add, attention, document_loss, encode, linear, rmsnorm,
                      sample, softmax)

VOCAB = ["a", "b", "c", "d", BOS]


def values(*numbers):
    return [Value(number) for number in numbers]


def data(vector):
    return [value.data for value in vector]


def small_model(n_layer=2, n_embd=8, n_head=2, block_size=6):
    random.seed(3)
    return GPT(len(VOCAB), n_layer, n_embd, n_head, block_size)


def fixed_model(*logits):
    """A model that has the same logits whatever it reads: it makes x = [1] of any token."""
    model = small_model(n_layer=0, n_embd=1, n_head=1)
    model.wpe = [values(1e6) for _ in range(6)]
    model.lm_head = [values(logit) for logit in logits]
    return model


def read(tokens, model):
    """Return the logits after each token."""
    cache = model.new_cache()
    return [data(model.forward(token, i, cache)) for i, token in enumerate(tokens)]


class Model(unittest.TestCase):
    def assert_close(self, found, expected, delta=1e-11):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.assertAlmostEqual(a, b, delta=delta)

    def test_softmax_is_e_to_the_score_over_the_sum_whatever_is_added_to_all_scores(self):
        exps = [math.exp(0.5), math.exp(-1.0), math.exp(2.0)]
        for shift in (0, 1000, -1000):
            probs = data(softmax(values(0.5 + shift, -1.0 + shift, 2.0 + shift)))
            self.assert_close(probs, [e / sum(exps) for e in exps])
            self.assert_close([sum(probs)], [1])
        self.assert_close(data(softmax(values(1000, -1000, 0))), [1, 0, 0])

    def test_rmsnorm_makes_the_mean_square_1_but_first_adds_1e_5_to_it(self):
        normed = data(rmsnorm(values(3, -1, 2)))
        self.assertAlmostEqual(sum([x ** 2 for x in normed]) / 3, 1, delta=1e-5)
        root = math.sqrt((0.001 ** 2 + 0.002 ** 2) / 2 + 1e-5)
        self.assert_close(data(rmsnorm(values(0.001, 0.002))), [0.001 / root, 0.002 / root])

    def test_attention_is_the_mean_of_the_values_weighted_by_how_well_the_keys_fit(self):
        query, key1, key2 = values(1.0, 2.0), values(0.5, -1.0), values(2.0, 0.3)
        e1 = math.exp((1.0 * 0.5 + 2.0 * -1.0) / math.sqrt(2))
        e2 = math.exp((1.0 * 2.0 + 2.0 * 0.3) / math.sqrt(2))
        both = attention(query, [key1, key2], [values(10, 50), values(20, 30)])
        self.assert_close(data(both), [(e1 * 10 + e2 * 20) / (e1 + e2),
                                       (e1 * 50 + e2 * 30) / (e1 + e2)])
        self.assertEqual(data(attention(query, [key1], [values(10, 50)])), [10, 50])

    def test_encode_puts_bos_where_a_text_begins_and_ends(self):
        self.assertEqual(encode("abba", VOCAB), [4, 0, 1, 1, 0, 4])

    def test_the_weights_have_these_names_and_shapes_and_are_drawn_in_this_order(self):
        model = small_model()
        named = [("wte", model.wte), ("wpe", model.wpe), ("lm_head", model.lm_head)]
        named += [item for layer in model.layers for item in layer.items()]
        self.assertEqual([(name, len(matrix), len(matrix[0])) for name, matrix in named], [
            ("wte", 5, 8), ("wpe", 6, 8), ("lm_head", 5, 8)] + 2 * [
            ("attn_wq", 8, 8), ("attn_wk", 8, 8), ("attn_wv", 8, 8), ("attn_wo", 8, 8),
            ("mlp_fc1", 32, 8), ("mlp_fc2", 8, 32)])
        random.seed(3)  # as in small_model
        for _, matrix in named:
            for row in matrix:
                self.assertEqual(data(row), [random.gauss(0, 0.08) for _ in row])

    def test_a_later_token_changes_no_earlier_logits_and_an_earlier_one_all_later_logits(self):
        model = small_model()
        base, later, earlier = [read([4, a, 1, b], model) for a, b in ((0, 2), (0, 3), (3, 2))]
        self.assertEqual([x == y for x, y in zip(base, later)], [True, True, True, False])
        self.assertEqual([x == y for x, y in zip(base, earlier)], [True, False, False, False])

    def test_reading_on_with_a_cache_equals_reading_afresh_even_two_documents_in_turn(self):
        model = small_model()
        documents = [([4, 0, 1, 2], model.new_cache()), ([4, 3, 2, 1], model.new_cache())]
        for i in range(4):
            for tokens, cache in documents:
                logits = data(model.forward(tokens[i], i, cache))
                self.assertEqual(logits, read(tokens[:i + 1], model)[-1])

    def test_the_order_of_earlier_tokens_is_known_from_the_position_embeddings_only(self):
        model = small_model(n_layer=1)
        self.assertNotEqual(read([4, 0, 1, 2], model)[3], read([4, 1, 0, 2], model)[3])
        model.wpe = [values(*[0.0] * 8)] * 6
        self.assert_close(read([4, 0, 1, 2], model)[3], read([4, 1, 0, 2], model)[3])

    def test_the_number_of_heads_matters(self):
        one, two, four = [read([4, 0, 1], small_model(n_head=n))[2] for n in (1, 2, 4)]
        self.assertTrue(one != two != four)

    def test_one_position_by_hand_where_attention_returns_the_only_value(self):
        model = small_model(n_layer=1)
        [layer] = model.layers
        x = rmsnorm(add(model.wte[2], model.wpe[0]))
        value = linear(rmsnorm(x), layer["attn_wv"])
        x = add(x, linear(value, layer["attn_wo"]))
        hidden = [h.relu() for h in linear(rmsnorm(x), layer["mlp_fc1"])]
        x = add(x, linear(hidden, layer["mlp_fc2"]))
        self.assert_close(read([2], model)[0], data(linear(x, model.lm_head)))

    def test_the_loss_is_the_mean_of_minus_log_p_over_the_tokens_that_follow(self):
        model, tokens = small_model(), [4, 0, 3, 1, 4]
        losses = [-math.log(math.exp(logits[target]) / sum(map(math.exp, logits)))
                  for logits, target in zip(read(tokens[:-1], model), tokens[1:])]
        self.assert_close([document_loss(tokens, model).data], [sum(losses) / 4])

    def test_the_loss_without_training_is_that_of_a_blind_guess(self):
        random.seed(42)
        model = GPT(vocab_size=27, n_layer=1, n_embd=16, n_head=4, block_size=16)
        tokens = [26, 4, 12, 12, 0, 26]
        self.assertAlmostEqual(document_loss(tokens, model).data, math.log(27), delta=0.1)
        model.lm_head = [values(*[0.0] * 16)] * 27  # so that all logits are 0
        self.assert_close([document_loss(tokens, model).data], [math.log(27)])

    def test_the_derivative_of_the_loss_by_a_logit_is_p_less_1_for_the_token_that_did_come(self):
        for target in range(5):
            model = fixed_model(0.5, -1, 2, 1000, -1000)
            document_loss([4, target], model).backward()
            logits = [row[0] for row in model.lm_head]  # as x = [1]
            expected = data(softmax(logits))
            expected[target] -= 1
            self.assert_close([logit.grad for logit in logits], expected)

    def test_a_sample_ends_with_bos_or_at_block_size_unless_start_is_longer(self):
        self.assertEqual(sample(fixed_model(0, 0, 0, 0, 100), VOCAB), "")
        for start, text in (("", "aaaaaa"), ("bcd", "bcdaaa"), ("abcdabcd", "abcdabcd")):
            self.assertEqual(sample(fixed_model(100, 0, 0, 0, 0), VOCAB, start=start), text)

    def test_after_start_a_letter_is_drawn_by_its_probability_at_the_temperature(self):
        model = small_model(n_layer=1, n_embd=4, block_size=3)  # reads BOS, c, a, draws one
        model.lm_head = [values(*[9 * weight.data for weight in row]) for row in model.lm_head]
        logits = read([4, 2, 0], model)[2]
        for t, settings in ((1, {}), (0.5, {"temperature": 0.5}), (4, {"temperature": 4})):
            samples = [sample(model, VOCAB, start="ca", **settings) for _ in range(300)]
            shares = [samples.count(text) / 300 for text in ("caa", "cab", "cac", "cad", "ca")]
            probs = data(softmax(values(*[logit / t for logit in logits])))
            self.assert_close(shares, probs, delta=0.05)

    def test_one_random_number_is_drawn_for_each_token(self):
        model = fixed_model(0, 0, 0, 0, -1000)
        random.seed(7)
        drawn = ["abcd"[int(random.random() * 4)] for _ in range(5)]
        random.seed(7)
        self.assertEqual(sample(model, VOCAB, start="ab"), "ab" + "".join(drawn[:4]))
        self.assertEqual("abcd"[int(random.random() * 4)], drawn[4])

    def test_work_grows_no_faster_than_the_multiplications_in_length_width_and_depth(self):
        def work(length, n_embd, n_layer):
            """Return how many edges the graph has for each multiplication that a GPT needs."""
            model = small_model(n_layer, n_embd, block_size=length)
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
        grads = [weight.grad for row in model.layers[0]["attn_wv"] for weight in row]
        self.assertNotIn(0.0, grads)


if __name__ == "__main__":
    unittest.main()
