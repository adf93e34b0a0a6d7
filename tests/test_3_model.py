"""Third: does the model do what makes it a GPT? From its parts to reading, loss and samples."""
import math
import random
import unittest

from program import data, model_of, values
from microgpt import (BOS, add, attention, document_loss, encode, gpt, linear, log_softmax,
                      mlp, multi_head_attention, new_cache, new_model, parameters, relu, rmsnorm,
                      sample, softmax)

VOCAB = ["a", "b", "c", "d", BOS]


def small_model(**settings):
    return model_of(len(VOCAB), **settings)


def fixed_model(*logits):
    """A model that has the same logits whatever it reads: it makes x = [1] of any token."""
    model = small_model(n_layer=0, n_embd=1, n_head=1)
    model["wpe"] = [values(1e6) for _ in range(6)]
    model["lm_head"] = [values(logit) for logit in logits]
    return model


def read(tokens, model):
    """Return the logits after each token."""
    cache = new_cache(model)
    return [data(gpt(token, i, cache, model)) for i, token in enumerate(tokens)]


class CloseTestCase(unittest.TestCase):
    def assert_close(self, found, expected, delta=1e-11):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.assertAlmostEqual(a, b, delta=delta)


class Functions(CloseTestCase):
    def test_softmax_is_e_to_the_score_over_the_sum_whatever_is_added_to_all_scores(self):
        exps = [math.exp(0.5), math.exp(-1.0), math.exp(2.0)]
        for shift in (0, 1000, -1000):
            scores = values(0.5 + shift, -1.0 + shift, 2.0 + shift)
            self.assert_close(data(softmax(scores)), [e / sum(exps) for e in exps])
            self.assert_close([math.exp(log_prob) for log_prob in data(log_softmax(scores))],
                              data(softmax(scores)))
        self.assert_close(data(softmax(values(1000, -1000, 0))), [1, 0, 0])
        self.assert_close(data(log_softmax(values(1000, -1000, 0))), [0, -2000, -1000])

    def test_rmsnorm_makes_the_mean_square_1_but_first_adds_1e_5_to_it(self):
        normed = data(rmsnorm(values(3, -1, 2)))
        self.assertAlmostEqual(sum([x ** 2 for x in normed]) / 3, 1, delta=1e-5)
        root = math.sqrt((0.001 ** 2 + 0.002 ** 2) / 2 + 1e-5)
        self.assert_close(data(rmsnorm(values(0.001, 0.002))), [0.001 / root, 0.002 / root])

    def test_attention_is_the_mean_of_values_weighted_by_how_well_keys_match(self):
        query, key1, key2 = values(1.0, 2.0), values(0.5, -1.0), values(2.0, 0.3)
        e1 = math.exp((1.0 * 0.5 + 2.0 * -1.0) / math.sqrt(2))
        e2 = math.exp((1.0 * 2.0 + 2.0 * 0.3) / math.sqrt(2))
        both = attention(query, [key1, key2], [values(10, 50), values(20, 30)])
        self.assert_close(data(both), [(e1 * 10 + e2 * 20) / (e1 + e2),
                                       (e1 * 50 + e2 * 30) / (e1 + e2)])
        self.assertEqual(data(attention(query, [key1], [values(10, 50)])), [10, 50])

    def test_the_table_in_attention_is_right(self):
        query, keys = values(4, 0), [values(1, 0), values(0, 1)]
        result = data(attention(query, keys, [values(10, 0), values(0, 10)]))
        self.assertEqual([round(entry, 1) for entry in result], [9.4, 0.6])

    def test_encode_puts_bos_where_a_text_begins_and_ends(self):
        self.assertEqual(encode("abba", VOCAB), [4, 0, 1, 1, 0, 4])
        self.assertEqual(encode("emma", [*"abcdefghijklmnopqrstuvwxyz", BOS]),
                         [26, 4, 12, 12, 0, 26])


class Weights(unittest.TestCase):
    def test_they_have_these_names_and_shapes_and_are_drawn_in_this_order(self):
        model = small_model()
        layers = model["layers"]
        self.assertEqual(list(model), ["wte", "wpe", "lm_head", "layers"])
        names = ["attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2"]
        self.assertEqual([list(layer) for layer in layers], [names, names])
        heads = [layer[name] for layer in layers for name in names[:3]]
        self.assertEqual([len(matrices) for matrices in heads], [2] * 6)  # a matrix for each head

        def shape(matrix):
            return len(matrix), len(matrix[0])

        drawn = []
        for name, expected in (("wte", (5, 8)), ("wpe", (6, 8)), ("lm_head", (5, 8))):
            self.assertEqual(shape(model[name]), expected)
            drawn += model[name]
        for layer in layers:
            for name in names[:3]:  # all heads' rows of wq, then of wk, then of wv
                self.assertEqual([shape(matrix) for matrix in layer[name]], [(4, 8)] * 2)
                drawn += layer[name][0] + layer[name][1]
            for name, expected in zip(names[3:], [(8, 8), (32, 8), (8, 32)]):
                self.assertEqual(shape(layer[name]), expected)
                drawn += layer[name]
        random.seed(3)  # as in model_of
        for row in drawn:
            self.assertEqual(data(row), [random.gauss(0, 0.08) for _ in row])

    def test_parameters_are_all_of_them_also_in_a_matrix_that_was_added(self):
        model = small_model()
        self.assertEqual(len(parameters(model)), 3 * 8 * 5 + 8 + 2 * 12 * 8 * 8)
        more = [values(1.0, 2.0), values(3.0, 4.0)]
        model["layers"][1]["mlp_fc3"] = [more]
        found = parameters(model)
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual([x.data for x in found if x in parameters(more)], [1.0, 2.0, 3.0, 4.0])
        self.assertEqual(parameters(more[0]), more[0])
        self.assertEqual(parameters((more[1], more[0][0])), [*more[1], more[0][0]])


class Reading(CloseTestCase):
    def test_a_later_token_changes_no_earlier_logits_an_earlier_one_all_later(self):
        model = small_model()
        base = read([4, 0, 1, 2], model)
        last_changed = read([4, 0, 1, 3], model)
        second_changed = read([4, 3, 1, 2], model)
        self.assertEqual(base[:3], last_changed[:3])
        self.assertNotEqual(base[3], last_changed[3])
        self.assertEqual(base[:1], second_changed[:1])
        for i in (1, 2, 3):
            self.assertNotEqual(base[i], second_changed[i])

    def test_reading_on_with_a_cache_equals_reading_afresh_two_documents_in_turn(self):
        model = small_model()
        documents = [([4, 0, 1, 2], new_cache(model)), ([4, 3, 2, 1], new_cache(model))]
        for i in range(4):
            for tokens, cache in documents:
                logits = data(gpt(tokens[i], i, cache, model))
                self.assertEqual(logits, read(tokens[:i + 1], model)[-1])

    def test_the_order_of_earlier_tokens_is_known_from_position_embeddings_only(self):
        model = small_model(n_layer=1)
        self.assertNotEqual(read([4, 0, 1, 2], model)[3], read([4, 1, 0, 2], model)[3])
        model["wpe"] = [values(*[0.0] * 8)] * 6
        self.assert_close(read([4, 0, 1, 2], model)[3], read([4, 1, 0, 2], model)[3])

    def test_the_number_of_heads_matters(self):
        logits = [tuple(read([4, 0, 1], small_model(n_head=n))[2]) for n in (1, 2, 4)]
        self.assertEqual(len(set(logits)), 3)

    def test_each_head_has_its_own_share_of_the_result_in_order(self):
        [layer] = small_model(n_layer=1)["layers"]
        x = values(*range(8))
        results = []
        for wv in layer["attn_wv"]:
            results += linear(x, wv)  # as attention returns the only value
        [cache] = new_cache(small_model(n_layer=1))
        found = multi_head_attention(x, layer, cache)
        self.assert_close(data(found), data(linear(results, layer["attn_wo"])))

    def test_one_position_by_hand_where_attention_returns_the_only_value(self):
        model = small_model(n_layer=1)
        [layer] = model["layers"]
        x = rmsnorm(add(model["wte"][2], model["wpe"][0]))
        value = [entry for wv in layer["attn_wv"] for entry in linear(rmsnorm(x), wv)]
        x = add(x, linear(value, layer["attn_wo"]))
        hidden = relu(linear(rmsnorm(x), layer["mlp_fc1"]))
        self.assert_close(data(mlp(rmsnorm(x), layer)), data(linear(hidden, layer["mlp_fc2"])))
        x = add(x, linear(hidden, layer["mlp_fc2"]))
        self.assert_close(read([2], model)[0], data(linear(x, model["lm_head"])))


class Loss(CloseTestCase):
    def test_it_is_the_mean_of_minus_log_p_over_the_tokens_that_follow(self):
        model, tokens = small_model(), [4, 0, 3, 1, 4]
        losses = [-math.log(math.exp(logits[target]) / sum(map(math.exp, logits)))
                  for logits, target in zip(read(tokens[:-1], model), tokens[1:])]
        self.assert_close([document_loss(tokens, model).data], [sum(losses) / 4])

    def test_a_blind_guess_costs_log_27_and_random_weights_are_close_to_one(self):
        random.seed(42)
        model = new_model(vocab_size=27, n_layer=1, n_embd=16, n_head=4, block_size=16)
        tokens = [26, 4, 12, 12, 0, 26]
        self.assertAlmostEqual(document_loss(tokens, model).data, math.log(27), delta=0.1)
        model["lm_head"] = [values(*[0.0] * 16)] * 27  # so that all logits are 0
        self.assert_close([document_loss(tokens, model).data], [math.log(27)])

    def test_its_derivative_for_a_logit_is_p_less_1_for_the_token_that_came(self):
        for target in range(5):
            model = fixed_model(0.5, -1, 2, 1000, -1000)
            document_loss([4, target], model).backward()
            logits = [row[0] for row in model["lm_head"]]  # as x = [1]
            expected = data(softmax(logits))
            expected[target] -= 1
            self.assert_close([logit.grad for logit in logits], expected)


class Samples(CloseTestCase):
    def test_one_ends_with_bos_or_at_block_size_and_a_long_prompt_is_returned(self):
        self.assertEqual(sample(fixed_model(0, 0, 0, 0, 100), VOCAB), "")
        for prompt, text in (("", "aaaaaa"), ("bcd", "bcdaaa"), ("abcdabcd", "abcdabcd")):
            self.assertEqual(sample(fixed_model(100, 0, 0, 0, 0), VOCAB, prompt=prompt), text)

    def test_a_letter_is_drawn_by_its_probability_at_the_temperature(self):
        model = small_model(n_layer=1, n_embd=4, block_size=3)  # reads BOS, c, a, draws one
        for weight in parameters(model["lm_head"]):
            weight.data *= 9
        logits = read([4, 2, 0], model)[2]
        for t, settings in ((1, {}), (0.5, {"temperature": 0.5}), (4, {"temperature": 4})):
            samples = [sample(model, VOCAB, prompt="ca", **settings) for _ in range(300)]
            shares = [samples.count(text) / 300 for text in ("caa", "cab", "cac", "cad", "ca")]
            probs = data(softmax(values(*[logit / t for logit in logits])))
            self.assert_close(shares, probs, delta=0.05)

    def test_one_random_number_is_drawn_for_each_token(self):
        model = fixed_model(0, 0, 0, 0, -1000)
        random.seed(7)
        drawn = ["abcd"[int(random.random() * 4)] for _ in range(5)]
        random.seed(7)
        self.assertEqual(sample(model, VOCAB, prompt="ab"), "ab" + "".join(drawn[:4]))
        self.assertEqual("abcd"[int(random.random() * 4)], drawn[4])


if __name__ == "__main__":
    unittest.main()
