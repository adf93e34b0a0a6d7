"""The model: the gradients of each piece and of the whole, and what makes it a GPT."""
import contextlib
import gc
import math
import random
import unittest
from unittest import mock

import microgpt
from finite_differences import check_gradients, check_weights
from microgpt import (Value, attention, document_loss, encode, gpt, init_weights, linear, log_sum_exp, rmsnorm,
                      sample, softmax)


def numbers(count, seed=1, size=2.0):
    draw = random.Random(seed)
    return [draw.uniform(-size, size) for _ in range(count)]


def values(count, seed=1, size=2.0):
    return [Value(number) for number in numbers(count, seed, size)]


def data(vector):
    return [value.data for value in vector]


def small_model(n_embd=8, n_layer=2, block_size=6, vocab_size=5, size=0.5):
    """Weights large enough that every piece of the model makes a difference."""
    random.seed(3)
    state_dict = init_weights(vocab_size, n_embd, n_layer, block_size)
    for matrix in state_dict.values():
        for row in matrix:
            for weight in row:
                weight.data = random.gauss(0, size)
    return state_dict


def logits_of(tokens, state_dict, n_head=2):
    return [data(logits) for logits in gpt(tokens, state_dict, n_head)]


class Gradients(unittest.TestCase):
    """Toward inputs and weights, against finite differences."""

    def test_linear(self):
        probe = numbers(3, seed=2)  # a different weight on each output, so that none can be mixed up
        check_gradients(self, lambda v: linear(linear(v[:4], [v[4:8], v[8:12], v[12:]]), [as_values(probe)])[0],
                        numbers(16))

    def test_softmax(self):
        probe = numbers(5, seed=2)
        check_gradients(self, lambda v: linear(softmax(v), [as_values(probe)])[0], numbers(5))

    def test_rmsnorm(self):
        probe = numbers(5, seed=2)
        check_gradients(self, lambda v: linear(rmsnorm(v), [as_values(probe)])[0], numbers(5))

    def test_rmsnorm_of_almost_nothing(self):
        probe = numbers(3, seed=2)
        check_gradients(self, lambda v: linear(rmsnorm(v), [as_values(probe)])[0], [1e-3, -2e-3, 0.0])

    def test_attention_toward_query_keys_and_values(self):
        probe = numbers(4, seed=2)

        def attend(v):
            query, keys, kept = v[:4], [v[4:8], v[8:12], v[12:16]], [v[16:20], v[20:24], v[24:]]
            heads = attention(query, keys, kept, slice(0, 2)) + attention(query, keys, kept, slice(2, 4))
            return linear(heads, [as_values(probe)])[0]
        check_gradients(self, attend, numbers(28))

    def test_cross_entropy_toward_each_logit(self):
        for target in range(4):
            check_gradients(self, lambda v: log_sum_exp(v) - v[target], numbers(4))

    def test_every_weight_of_a_model_with_2_layers_and_2_heads(self):
        state_dict = small_model(n_embd=4)
        params = [weight for matrix in state_dict.values() for row in matrix for weight in row]
        check_weights(self, lambda: document_loss([4, 0, 1, 2, 3, 1, 4], state_dict, 2), params)
        unused = [weight for weight in params if weight.grad == 0]
        self.assertLess(len(unused), len(params) / 10)  # dead relus and the like: the rest was really compared

    def test_some_weights_of_every_matrix_of_the_default_model(self):
        random.seed(42)
        state_dict = init_weights(27, n_embd=16, n_layer=1, block_size=16)
        draw = random.Random(5)
        tokens = [26, 4, 12, 12, 0, 26]
        rows = {"wte": state_dict["wte"][12], "wpe": state_dict["wpe"][2]}  # rows that this document uses
        chosen = [draw.choice(rows.get(name, draw.choice(matrix))) for name, matrix in state_dict.items()
                  for _ in range(3)]
        check_weights(self, lambda: document_loss(tokens, state_dict, 4), chosen)

    def test_gradients_flow_back_through_the_kept_keys_and_values(self):
        state_dict = small_model()
        *_, last = gpt([4, 0, 1], state_dict, 2)
        last[0].backward()
        self.assertTrue(all(weight.grad != 0 for weight in state_dict["wte"][0]))  # the first letter's vector


def as_values(plain):
    return [Value(number) for number in plain]


class Softmax(unittest.TestCase):
    def test_it_is_e_to_the_score_over_the_sum_of_them_all(self):
        scores = numbers(5)
        powers = [math.exp(score) for score in scores]
        for found, power in zip(data(softmax(as_values(scores))), powers):
            self.assertAlmostEqual(found, power / sum(powers), delta=1e-15)

    def test_it_sums_to_1(self):
        for n in (1, 2, 27, 500):
            self.assertAlmostEqual(sum(data(softmax(values(n, size=5)))), 1, delta=1e-12)

    def test_it_ignores_a_shift(self):
        scores = numbers(6)
        for shift in (-30, 0.5, 700):
            moved = softmax([Value(score + shift) for score in scores])
            for a, b in zip(data(softmax(as_values(scores))), data(moved)):
                self.assertAlmostEqual(a, b, delta=1e-12)

    def test_it_survives_scores_of_plus_and_minus_1000(self):
        self.assertEqual(data(softmax(as_values([1000, -1000, 0]))), [1.0, 0.0, 0.0])
        for half in data(softmax(as_values([-1000, -1000]))):
            self.assertAlmostEqual(half, 0.5, delta=1e-12)


class Loss(unittest.TestCase):
    def test_it_is_finite_with_the_right_gradient_for_logits_of_plus_and_minus_1000(self):
        for target, expected in ((0, 0.0), (1, 2000.0), (2, 1000.0)):
            logits = as_values([1000, -1000, 0])
            loss = log_sum_exp(logits) - logits[target]
            loss.backward()
            self.assertAlmostEqual(loss.data, expected, delta=1e-9)
            probabilities = [1.0, 0.0, 0.0]  # the last two underflow
            self.assertEqual([logit.grad for logit in logits],
                             [p - (i == target) for i, p in enumerate(probabilities)])

    def test_its_gradient_is_the_probability_less_1_for_the_right_token(self):
        logits = values(5)
        probabilities = data(softmax(logits))
        (log_sum_exp(logits) - logits[3]).backward()
        for i, logit in enumerate(logits):
            self.assertAlmostEqual(logit.grad, probabilities[i] - (i == 3), delta=1e-12)

    def test_an_untrained_model_is_about_as_wrong_as_guessing(self):
        random.seed(42)
        state_dict = init_weights(27, n_embd=16, n_layer=1, block_size=16)
        losses = [document_loss([26, a, b, c, 26], state_dict, 4).data for a, b, c in [(4, 8, 20), (0, 1, 2), (9, 9, 9)]]
        self.assertAlmostEqual(sum(losses) / 3, math.log(27), delta=0.1)

    def test_a_model_without_an_opinion_is_exactly_as_wrong_as_guessing(self):
        state_dict = small_model()
        for row in state_dict["lm_head"]:
            for weight in row:
                weight.data = 0.0
        self.assertAlmostEqual(document_loss([4, 0, 1, 4], state_dict, 2).data, math.log(5), delta=1e-12)

    def test_it_is_the_mean_over_the_tokens_that_follow(self):
        state_dict, tokens = small_model(), [4, 0, 3, 1, 4]
        losses = [math.log(sum([math.exp(logit) for logit in logits])) - logits[target]
                  for logits, target in zip(logits_of(tokens[:-1], state_dict), tokens[1:])]
        self.assertEqual(len(losses), 4)
        self.assertAlmostEqual(document_loss(tokens, state_dict, 2).data, sum(losses) / 4, delta=1e-12)

    def test_a_long_document_is_cut_at_block_size(self):
        state_dict = small_model(block_size=3)
        whole, cut = [4, 0, 3, 1, 2, 2, 4], [4, 0, 3, 1]  # 3 tokens are read, the 4th is still foretold
        self.assertEqual(document_loss(whole, state_dict, 2).data, document_loss(cut, state_dict, 2).data)
        self.assertNotEqual(document_loss(cut, state_dict, 2).data, document_loss(cut[:-1], state_dict, 2).data)


class Pieces(unittest.TestCase):
    def test_rmsnorm_gives_a_mean_square_of_1(self):
        for n in (1, 3, 16):
            normed = data(rmsnorm(values(n)))
            self.assertAlmostEqual(sum([x * x for x in normed]) / n, 1, delta=1e-3)  # 1e-5 was added to it

    def test_rmsnorm_adds_1e_5_to_the_mean_square(self):
        for found, expected in zip(data(rmsnorm(as_values([0.001, 0.002]))), [0.001, 0.002]):
            self.assertAlmostEqual(found, expected / math.sqrt(2.5e-6 + 1e-5), delta=1e-12)

    def test_rmsnorm_of_zeros_is_zeros(self):
        self.assertEqual(data(rmsnorm(as_values([0.0, 0.0]))), [0.0, 0.0])

    def test_attention_over_one_position_returns_its_value(self):
        [only] = [values(4, seed=3)]
        self.assertEqual(data(attention(values(4), [values(4, seed=2)], [only], slice(0, 4))), data(only))

    def test_attention_is_the_average_of_the_values_weighted_by_fit(self):
        query, keys, kept = [1.0, 2.0], [[0.5, -1.0], [2.0, 0.3]], [[10.0, 20.0], [30.0, 50.0]]
        fits = [math.exp((1.0 * k[0] + 2.0 * k[1]) / math.sqrt(2)) for k in keys]
        weights = [fit / sum(fits) for fit in fits]
        found = attention(as_values(query), [as_values(k) for k in keys], [as_values(v) for v in kept], slice(0, 2))
        for i in range(2):
            self.assertAlmostEqual(found[i].data, weights[0] * kept[0][i] + weights[1] * kept[1][i], delta=1e-12)

    def test_a_head_sees_its_slice_only(self):
        query, keys, kept = values(4), [values(4, seed=2), values(4, seed=3)], [values(4, seed=4), values(4, seed=5)]
        before = data(attention(query, keys, kept, slice(0, 2)))
        for vector in [query] + keys + kept:
            vector[3] = Value(99.0)
        self.assertEqual(data(attention(query, keys, kept, slice(0, 2))), before)

    def test_the_weights_have_gpt2s_names_and_their_shapes(self):
        shapes = {name: (len(matrix), len(matrix[0])) for name, matrix in init_weights(27, 16, 1, 8).items()}
        self.assertEqual(list(shapes.items()), [  # in the order of the random draws
            ("wte", (27, 16)), ("wpe", (8, 16)), ("lm_head", (27, 16)),
            ("layer0.attn_wq", (16, 16)), ("layer0.attn_wk", (16, 16)), ("layer0.attn_wv", (16, 16)),
            ("layer0.attn_wo", (16, 16)), ("layer0.mlp_fc1", (64, 16)), ("layer0.mlp_fc2", (16, 64))])

    def test_the_weights_are_small_random_numbers_around_0(self):
        random.seed(1)
        drawn = [weight.data for matrix in init_weights(27, 16, 1, 16).values() for row in matrix for weight in row]
        self.assertEqual(len(set(drawn)), len(drawn))
        self.assertAlmostEqual(sum(drawn) / len(drawn), 0, delta=0.005)
        self.assertAlmostEqual(math.sqrt(sum([x * x for x in drawn]) / len(drawn)), 0.08, delta=0.004)

    def test_encode_puts_bos_around_the_letters(self):
        self.assertEqual(encode("abba", {"a": 0, "b": 1}), [2, 0, 1, 1, 0, 2])
        self.assertEqual(encode("", {"a": 0, "b": 1}), [2, 2])

    def test_encode_names_a_text_with_an_unknown_letter(self):
        with self.assertRaisesRegex(ValueError, "^a letter of 'abc' was never trained on$"):
            encode("abc", {"a": 0, "b": 1})


class Gpt(unittest.TestCase):
    def test_a_later_token_changes_no_earlier_logits(self):
        state_dict = small_model()
        a, b = logits_of([4, 0, 1, 2], state_dict), logits_of([4, 0, 1, 3], state_dict)
        self.assertEqual(a[:3], b[:3])
        self.assertNotEqual(a[3], b[3])

    def test_an_earlier_token_changes_all_later_logits(self):
        state_dict = small_model()
        for a, b in zip(logits_of([4, 0, 1, 2], state_dict)[1:], logits_of([4, 3, 1, 2], state_dict)[1:]):
            self.assertNotEqual(a, b)

    def test_reading_on_with_kept_keys_and_values_equals_reading_afresh(self):
        state_dict, tokens = small_model(), [4, 0, 1, 2, 3]
        for n, kept in enumerate(gpt(tokens, state_dict, 2), 1):
            *_, afresh = gpt(tokens[:n], state_dict, 2)
            self.assertEqual(data(kept), data(afresh))

    def test_two_documents_read_in_turn_do_not_mix(self):
        state_dict = small_model()
        first, second = gpt([4, 0, 1], state_dict, 2), gpt([4, 3, 2], state_dict, 2)
        in_turn = [(data(a), data(b)) for a, b in zip(first, second)]
        self.assertEqual(in_turn, list(zip(logits_of([4, 0, 1], state_dict), logits_of([4, 3, 2], state_dict))))

    def test_position_matters(self):
        state_dict = small_model()
        self.assertNotEqual(logits_of([4, 0, 1, 2], state_dict)[3], logits_of([4, 1, 0, 2], state_dict)[3])
        same_token = logits_of([0, 0], state_dict)
        self.assertNotEqual(same_token[0], same_token[1])

    def test_without_position_vectors_the_order_of_what_was_read_is_lost(self):
        state_dict = small_model(n_layer=1)
        for row in state_dict["wpe"]:
            for weight in row:
                weight.data = 0.0
        a, b = logits_of([4, 0, 1, 2], state_dict)[3], logits_of([4, 1, 0, 2], state_dict)[3]
        for x, y in zip(a, b):
            self.assertAlmostEqual(x, y, delta=1e-12)

    def test_every_letter_gets_a_score_at_every_position_up_to_block_size(self):
        state_dict = small_model(block_size=4)
        self.assertEqual([len(logits) for logits in logits_of([4, 0, 1], state_dict)], [5, 5, 5])
        self.assertEqual(len(logits_of([4, 0, 1, 2, 3, 0, 1], state_dict)), 4)

    def test_the_number_of_heads_matters_to_the_result_but_not_to_the_weights(self):
        state_dict = small_model()
        one, two, four = [logits_of([4, 0, 1], state_dict, n_head)[2] for n_head in (1, 2, 4)]
        self.assertNotEqual(one, two)
        self.assertNotEqual(two, four)

    def test_it_is_the_sum_of_its_parts(self):
        """One layer, one head, one position by hand: attention to oneself gives one's own value."""
        state_dict = small_model(n_layer=1)
        x = rmsnorm([a + b for a, b in zip(state_dict["wte"][2], state_dict["wpe"][0])])
        value = linear(rmsnorm(x), state_dict["layer0.attn_wv"])
        x = [a + b for a, b in zip(x, linear(value, state_dict["layer0.attn_wo"]))]
        hidden = [h.relu() for h in linear(rmsnorm(x), state_dict["layer0.mlp_fc1"])]
        x = [a + b for a, b in zip(x, linear(hidden, state_dict["layer0.mlp_fc2"]))]
        self.assertEqual(logits_of([2], state_dict, 1)[0], data(linear(x, state_dict["lm_head"])))


class Sampling(unittest.TestCase):
    vocab = {"a": 0, "b": 1, "c": 2, "d": 3}

    def fixed(self, *scores):
        """A model whose logits are scores, whatever it reads."""
        state_dict = small_model(n_embd=2, n_layer=0, size=0.0)
        for place in state_dict["wpe"]:
            place[0].data = 1.0  # so that x is [root 2, 0] everywhere
        for row, score in zip(state_dict["lm_head"], scores):
            row[0].data = score / math.sqrt(2)
        return state_dict

    def test_bos_ends_a_sample(self):
        self.assertEqual(sample(self.fixed(0, 0, 0, 0, 100), 1, self.vocab), "")

    def test_block_size_ends_a_sample(self):
        self.assertEqual(sample(self.fixed(100, 0, 0, 0, 0), 1, self.vocab), "aaaaaa")

    def test_letters_are_drawn_by_their_probabilities(self):
        random.seed(1)
        state_dict = self.fixed(math.log(6), math.log(3), -1000, -1000, math.log(1))
        first = [sample(state_dict, 1, self.vocab)[:1] for _ in range(2000)]
        self.assertAlmostEqual(first.count("a") / 2000, 0.6, delta=0.05)
        self.assertAlmostEqual(first.count("b") / 2000, 0.3, delta=0.05)
        self.assertEqual(first.count("c") + first.count("d"), 0)

    def test_temperature_sharpens(self):
        state_dict = self.fixed(1, 0, -1000, -1000, -1000)
        share = {}
        for temperature in (0.1, 0.5, 1, 100):
            random.seed(1)
            text = "".join([sample(state_dict, 1, self.vocab, temperature) for _ in range(200)])
            share[temperature] = text.count("a") / len(text)
            expected = 1 / (1 + math.exp(-1 / temperature))
            self.assertAlmostEqual(share[temperature], expected, delta=0.05)
        self.assertGreater(share[0.1], share[0.5])
        self.assertGreater(share[0.5], share[1])
        self.assertGreater(share[1], share[100])

    def test_the_temperature_is_1_where_none_is_given(self):
        state_dict = small_model()
        random.seed(1)
        plain = [sample(state_dict, 2, self.vocab) for _ in range(20)]
        random.seed(1)
        self.assertEqual(plain, [sample(state_dict, 2, self.vocab, 1.0) for _ in range(20)])

    def test_a_sample_goes_on_from_given_letters(self):
        random.seed(1)
        state_dict = small_model()
        found = [sample(state_dict, 2, self.vocab, start="cab") for _ in range(50)]
        self.assertTrue(all(text.startswith("cab") for text in found))
        self.assertGreater(len(set(found)), 5)

    def test_the_given_letters_are_read_before_the_first_draw(self):
        state_dict = small_model(block_size=4)  # BOS, c, a, b: room for one letter more
        *_, logits = gpt(encode("cab", self.vocab)[:-1], state_dict, 2)
        expected = data(softmax(logits))
        random.seed(1)
        following = [(sample(state_dict, 2, self.vocab, start="cab") + "$")[3] for _ in range(500)]
        for letter, token in list(self.vocab.items()) + [("$", 4)]:
            self.assertAlmostEqual(following.count(letter) / 500, expected[token], delta=0.06)

    def test_given_letters_that_fill_block_size_come_back_as_they_are(self):
        for start in ("abcdab", "abcdabcdabcd"):
            self.assertEqual(sample(self.fixed(100, 0, 0, 0, 0), 1, self.vocab, start=start), start)

    def test_an_unknown_letter_gets_a_clear_error(self):
        with self.assertRaisesRegex(ValueError, "a letter of 'xyz' was never trained on"):
            sample(small_model(), 2, self.vocab, start="xyz")

    def test_nothing_is_recorded_for_gradients(self):
        made = []

        def noting(scores):
            made.extend(softmax(scores))
            return made[-len(scores):]
        with mock.patch.object(microgpt, "softmax", noting):
            sample(self.fixed(100, 0, 0, 0, 0), 1, self.vocab)
        self.assertEqual(len(made), 6 * 5)  # six letters, five probabilities each
        self.assertEqual({(p.inputs, p.derivatives) for p in made}, {((), ())})

    def test_afterward_values_are_recorded_again_even_if_it_was_interrupted(self):
        for interruption in (None, KeyboardInterrupt, MemoryError):
            with mock.patch.object(random, "choices", side_effect=[[0], interruption or [4]]):
                with self.assertRaises(interruption) if interruption else contextlib.nullcontext():
                    sample(small_model(), 2, self.vocab)
            a = Value(3.0)
            (a * a).backward()
            self.assertEqual(a.grad, 6.0)

    @unittest.skipUnless(hasattr(gc, "is_tracked"), "needs CPython's reference counting")
    def test_all_that_grows_with_a_sample_are_the_kept_keys_and_values(self):
        state_dict, alive = small_model(n_embd=8, n_layer=2, block_size=9), []

        def draw(tokens, weights):
            alive.append(sum([isinstance(thing, Value) for thing in gc.get_objects()]))
            return [0]
        with mock.patch.object(random, "choices", draw):
            self.assertEqual(sample(state_dict, 2, self.vocab), 9 * "a")
        per_letter = 2 * 2 * 8  # a key and a value of 8 numbers in each of 2 layers
        self.assertEqual([b - a for a, b in zip(alive, alive[1:])], 8 * [per_letter])

    def test_one_random_number_is_drawn_for_a_token(self):
        state_dict = self.fixed(1, 1, 1, 1, -1000)
        random.seed(7)
        text = sample(state_dict, 1, self.vocab)
        after = random.random()
        random.seed(7)
        drawn = [random.random() for _ in text]
        self.assertEqual(text, "".join("abcd"[int(x * 4)] for x in drawn))
        self.assertEqual(random.random(), after)


class Growth(unittest.TestCase):
    """Work is counted as edges of the graph: each is one multiplication forward and one back."""

    def edges(self, length, n_embd=8, n_layer=2):
        state_dict = small_model(n_embd, n_layer, block_size=length)
        loss = document_loss([4] + [i % 4 for i in range(length)], state_dict, 2)
        seen, todo, count = {loss}, [loss], 0
        while todo:
            node = todo.pop()
            count += len(node.inputs)
            fresh = {value for value in node.inputs} - seen
            seen |= fresh
            todo.extend(fresh)
        return count

    def multiplications(self, length, n_embd=8, n_layer=2):
        weights = 5 * n_embd + n_layer * 12 * n_embd ** 2
        return length * weights + n_layer * length ** 2 * n_embd

    def test_work_grows_no_faster_than_the_arithmetic_in_length_width_and_depth(self):
        for setting in ("length", "n_embd", "n_layer"):
            small, large = dict(length=8, n_embd=8, n_layer=2), dict(length=8, n_embd=8, n_layer=2)
            large[setting] *= 8
            with self.subTest(setting):
                growth = self.edges(**large) / self.edges(**small)
                self.assertLessEqual(growth, 1.25 * self.multiplications(**large) / self.multiplications(**small))

    def test_forty_layers_train(self):
        state_dict = small_model(n_embd=2, n_layer=40, size=0.08)
        document_loss([4, 0, 1, 4], state_dict, 1).backward()
        self.assertTrue(any(weight.grad for weight in state_dict["layer0.attn_wv"][0]))


if __name__ == "__main__":
    unittest.main()
