"""microgpt: a complete GPT in plain Python, after Andrej Karpathy's microGPT (2026).

A language model predicts the next token of a text: here, the next letter of a name.
To write, it predicts a letter, adds it to the text, and predicts again. All it knows
is in its weights (parameters), 4,192 numbers that are random at first. Training
takes the names in input.txt one by one, and does four things with each:
    forward pass     predict every letter from the letters before it
    loss             say in one number how wrong the predictions were
    backward pass    find how the loss would change with each weight (gradient)
    update           change each weight a little, so that the loss falls"""
import math
import os
import random
from contextlib import suppress
from itertools import count
from operator import mul

# %% Tokenizer: letters become numbers, called tokens
BOS = "<BOS>"  # beginning of sequence; it marks the end, too


def encode(text, vocab):
    """Return the tokens of a text: "emma" -> [26, 4, 12, 12, 0, 26]. A token is the
    index of a symbol in the vocabulary, the list ["a", "b", "c", ..., "z", BOS]."""
    return [vocab.index(symbol) for symbol in [BOS, *text, BOS]]


# %% Autograd: numbers that find their derivatives
class Value:
    """A number that remembers how it was computed, a node of a computation graph."""
    serials = count()

    def __init__(self, data, inputs=(), derivatives=()):
        self.data = data
        self.inputs = inputs               # Values it was computed from
        self.derivatives = derivatives     # d data / d input (local gradients)
        self.grad = 0.0                    # d loss / d data, after backward()
        self.serial = next(Value.serials)  # 0, 1, 2, ... as they are made

    # Each row: the result, its inputs, and its derivatives. k is a plain number.
    def __add__(a, b): return Value(a.data + b.data, (a, b), (1.0, 1.0))
    def __sub__(a, b): return Value(a.data - b.data, (a, b), (1.0, -1.0))
    def __mul__(a, b): return Value(a.data * b.data, (a, b), (b.data, a.data))
    def __truediv__(a, k): return Value(a.data / k, (a,), (1 / k,))
    def __pow__(a, k): return Value(a.data ** k, (a,), (k * a.data ** (k - 1),))
    def exp(a): return Value(math.exp(a.data), (a,), (math.exp(a.data),))
    def relu(a): return a if a.data > 0 else Value(0.0)  # max(a, 0): a, or a constant

    def backward(self):
        """Backpropagation: find the grad of every Value that self was computed from.

        Chain rule: multiply the derivatives along each path, and add up all paths,
        since each contributes. If a = 5, b = a ** 2 and c = a * b, there are two:
            a -> c         contributes b = 25, as if b stood still
            a -> b -> c    contributes db/da * dc/db = 10 * 5 = 50
        Together 75. Indeed, c = a ** 3 has the derivative 3 * a ** 2 = 75."""
        # Collect the Values to visit. Weights only get grad: nothing lies behind them.
        nodes = {self}
        stack = [self]
        self.grad = 1.0
        while stack:
            for source in stack.pop().inputs:
                if source.inputs and source not in nodes:
                    source.grad = 0.0  # in case of a second call
                    nodes.add(source)
                    stack.append(source)

        # Visit them newest first (reverse topological order): all that was computed
        # from a node is newer, so the node's grad is complete when its turn comes.
        for node in sorted(nodes, key=lambda node: node.serial, reverse=True):
            for source, derivative in zip(node.inputs, node.derivatives):
                source.grad += derivative * node.grad


def dot(a, b):
    """The dot product a[0] * b[0] + a[1] * b[1] + ..., as one Value, for speed. Its
    derivatives are b[i] for a[i], and a[i] for b[i]. ValueError if lengths differ."""
    if len(a) != len(b):
        raise ValueError(f"dot product of {len(a)} numbers with {len(b)} numbers")
    a_data = [entry.data for entry in a]
    b_data = [entry.data for entry in b]
    return Value(sum(map(mul, a_data, b_data)), [*a, *b], [*b_data, *a_data])


# %% Model: from a token to the logits, a score for every token that could come next
# A token is turned into a vector x, a list of n_embd numbers (its embedding). Layers
# (transformer blocks) add to x what they find out about the text so far. What to look
# for, nobody tells them: training moves the weights to whatever lowers the loss.
# [n] is a vector, a list of n Values; [m][n] is a matrix, a list of m rows [n].
def add(x, y):
    """[n], [n] -> [n]. Add two vectors, entry by entry."""
    return [a + b for a, b in zip(x, y)]


def linear(x, matrix):
    """[n], [m][n] -> [m]. The dot product of x with each row of a matrix of weights."""
    return [dot(row, x) for row in matrix]


def softmax(scores):
    """[n] -> [n]. Turn scores into probabilities: e^score / (sum of all e^score)."""
    log_sum = logsumexp(scores)
    return [(score - log_sum).exp() for score in scores]  # e^score / e^log_sum


def logsumexp(scores):
    """[n] -> Value. log(sum of all e^score), with the derivatives e^score / sum. The
    largest is taken out, so exp cannot overflow: log(e^9 + e^7) = 9 + log(1 + e^-2)."""
    largest = max(score.data for score in scores)
    exps = [math.exp(score.data - largest) for score in scores]
    total = sum(exps)
    return Value(largest + math.log(total), scores, [exp / total for exp in exps])


def rmsnorm(x):
    """[n] -> [n]. Divide x by its root mean square (Zhang and Sennrich 2019), so that
    its numbers keep one size, however much the layers have added to it."""
    mean_square = dot(x, x) / len(x)
    scale = (mean_square + Value(1e-5)) ** -0.5  # 1e-5: never divide by 0
    return [entry * scale for entry in x]


def attention(query, keys, values):
    """[d], [t][d], [t][d] -> [d]. Scaled dot-product attention (Vaswani et al. 2017).
    Each of t tokens brings a key, which says what is there, and a value to pass on;
    the last one has a query, which says what is sought: vowels, perhaps. The more a
    key points the query's way, the more its value counts in the average. With d = 2:
        query [4, 0]             key [1, 0]           key [0, 1]
        dot product / sqrt(d)    4 / 1.414 = 2.83     0 / 1.414 = 0
        softmax                  94% of its value  +  6% of its value
    Dividing by sqrt(d) keeps the size of scores independent of the dimension d."""
    scores = [dot(query, key) / math.sqrt(len(query)) for key in keys]
    attn_weights = softmax(scores)
    columns = zip(*values)  # all first entries, all second entries, ...
    return [dot(attn_weights, column) for column in columns]


class GPT:
    """A generative pretrained transformer. (If you know GPT-2, Radford et al. 2019: it
    has LayerNorm, GELU, biases, dropout, tied weights, and norms in other places.)"""

    def __init__(self, vocab_size, n_layer, n_embd, n_head, block_size):
        def random_matrix(m, n):
            return [[Value(random.gauss(0, 0.08)) for _ in range(n)] for _ in range(m)]
        self.n_head = n_head
        self.block_size = block_size
        self.wte = random_matrix(vocab_size, n_embd)      # token embeddings
        self.wpe = random_matrix(block_size, n_embd)      # position embeddings
        self.lm_head = random_matrix(vocab_size, n_embd)  # x to logits (language model)
        self.layers = [{
            "attn_wq": random_matrix(n_embd, n_embd),      # x to query
            "attn_wk": random_matrix(n_embd, n_embd),      # x to key
            "attn_wv": random_matrix(n_embd, n_embd),      # x to value
            "attn_wo": random_matrix(n_embd, n_embd),      # averaged values to x
            "mlp_fc1": random_matrix(4 * n_embd, n_embd),  # x to hidden
            "mlp_fc2": random_matrix(n_embd, 4 * n_embd),  # hidden to x
        } for _ in range(n_layer)]

    def new_cache(self):
        """An empty KV cache, for each token's keys and values, by layer and head."""
        return [[([], []) for _ in range(self.n_head)] for _ in self.layers]

    def multi_head_attention(self, x, layer, layer_cache):
        """[n_embd] -> [n_embd]. Self-attention, causal: no later token is in the cache.
        Each head has its own part of query, key and value, for a search of its own."""
        query = linear(x, layer["attn_wq"])
        key = linear(x, layer["attn_wk"])
        value = linear(x, layer["attn_wv"])
        head_dim = len(x) // self.n_head
        results = []
        for head, (keys, values) in enumerate(layer_cache):
            part = slice(head * head_dim, (head + 1) * head_dim)
            keys.append(key[part])
            values.append(value[part])
            results.extend(attention(query[part], keys, values))  # concatenate
        return linear(results, layer["attn_wo"])

    def mlp(self, x, layer):
        """[n_embd] -> [n_embd]. A multilayer perceptron: each row of fc1 is a pattern,
        relu drops the patterns that x does not have, fc2 says what the rest adds."""
        hidden = [h.relu() for h in linear(x, layer["mlp_fc1"])]
        return linear(hidden, layer["mlp_fc2"])

    def forward(self, token, position, cache):
        """Read one token: put its keys and values in the cache, return the logits."""
        # A token is only a label: m (12) is not twice g (6). Its vector can say more.
        # The position has a vector, too, as attention by itself is blind to order.
        x = add(self.wte[token], self.wpe[position])
        x = rmsnorm(x)
        for layer, layer_cache in zip(self.layers, cache):
            # Residual connections: what is found is added to x and replaces nothing.
            x = add(x, self.multi_head_attention(rmsnorm(x), layer, layer_cache))
            x = add(x, self.mlp(rmsnorm(x), layer))
        return linear(x, self.lm_head)


# %% Training
def document_loss(tokens, model):
    """The mean cross-entropy of all predictions: -log(p), p being the probability of
    the token that came. It is 0 for p = 1, and 3.3 for a blind guess, p = 1/27."""
    loss = Value(0.0)
    cache = model.new_cache()
    for position, target in enumerate(tokens[1:]):
        logits = model.forward(tokens[position], position, cache)
        loss += logsumexp(logits) - logits[target]  # -log(p) = log_sum - logit
    return loss / (len(tokens) - 1)


class Adam:
    """Plain gradient descent subtracts learning_rate * grad from each weight: against
    the slope, the loss falls. Adam (Kingma and Ba 2014) replaces grad by m / sqrt(v).
    m is a running mean of grad, to smooth out the noise of single names; v is one of
    grad ** 2. The result is about 1 or -1 for a steady grad, however small."""

    def __init__(self, params):
        self.params = params
        self.m = [0.0] * len(params)
        self.v = [0.0] * len(params)
        self.t = 0

    def step(self, learning_rate, beta1=0.85, beta2=0.99, eps=1e-8):
        """Update all weights and reset grad. m and v start at 0: after 1 step m is only
        0.15 * grad. Bias correction divides by 1 - beta ** t, m by 0.15, 0.28, ..."""
        self.t += 1
        correction1 = 1 - beta1 ** self.t
        correction2 = 1 - beta2 ** self.t
        for i, param in enumerate(self.params):
            self.m[i] = beta1 * self.m[i] + (1 - beta1) * param.grad
            self.v[i] = beta2 * self.v[i] + (1 - beta2) * param.grad ** 2
            m_hat = self.m[i] / correction1
            v_hat = self.v[i] / correction2
            param.data -= learning_rate * m_hat / (math.sqrt(v_hat) + eps)
            param.grad = 0.0


# %% Sampling (inference): the trained model writes
def sample(model, vocab, temperature=1.0, start=""):
    """Continue a given start, each letter drawn by its probability. A temperature below
    1 widens the gaps between logits, and likely letters get likelier."""
    symbols = [BOS, *start]
    cache = model.new_cache()
    for position in range(model.block_size):
        logits = model.forward(vocab.index(symbols[position]), position, cache)
        if position >= len(start):  # all of start was read
            probs = softmax([logit / temperature for logit in logits])
            symbol = random.choices(vocab, [p.data for p in probs])[0]
            if symbol == BOS:
                break
            symbols.append(symbol)
    return "".join(symbols[1:])


# %% Settings (hyperparameters): change one, and run again
n_layer = 1           # layers of the transformer
n_embd = 16           # embedding dimension
n_head = 4            # attention heads in a layer
block_size = 16       # tokens read at most (context length)
num_steps = 1000      # training steps, one name each
learning_rate = 0.01  # how far weights move
temperature = 0.5
num_samples = 20
seed = 42

# %% Run
if __name__ == "__main__":
    if n_head < 1 or n_embd % n_head != 0:
        raise SystemExit(f"n_embd = {n_embd} must be a multiple of n_head = {n_head}")
    try:
        with open("input.txt", encoding="utf-8") as file:
            docs = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeError) as error:
        raise SystemExit(f"cannot read input.txt in {os.getcwd()}: {error}")
    if not docs:
        raise SystemExit(f"input.txt in {os.getcwd()} has no text")
    random.seed(seed)
    random.shuffle(docs)
    vocab = sorted(set("".join(docs))) + [BOS]
    model = GPT(len(vocab), n_layer, n_embd, n_head, block_size)
    state_dict = {"wte": model.wte, "wpe": model.wpe, "lm_head": model.lm_head}
    for i, layer in enumerate(model.layers):
        state_dict.update({f"layer{i}.{name}": layer[name] for name in layer})
    params = [p for matrix in state_dict.values() for row in matrix for p in row]
    optimizer = Adam(params)
    print(f"num docs: {len(docs)}\nvocab size: {len(vocab)}\nnum params: {len(params)}")

    losses = []
    with suppress(KeyboardInterrupt):  # Ctrl-C ends the training early
        for step in range(num_steps):
            tokens = encode(docs[step % len(docs)], vocab)[:block_size + 1]
            loss = document_loss(tokens, model)
            loss.backward()
            optimizer.step(learning_rate * (1 - step / num_steps))  # linear decay

            losses.append(loss.data)
            mean = sum(losses[-100:]) / len(losses[-100:])
            print(f"step {step + 1:4d} / {num_steps:4d} | loss {loss.data:.4f}"
                  f" | mean of last 100: {mean:.4f}", end="\r")
    print("\n--- inference (new, hallucinated names) ---")
    for i in range(num_samples):
        print(f"sample {i + 1:2d}: {sample(model, vocab, temperature)}")
