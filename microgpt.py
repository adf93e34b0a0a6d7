"""microgpt: a complete GPT in plain Python, after Andrej Karpathy's microGPT (2026).

A GPT (generative pretrained transformer) is a language model: it predicts the next
token of a text, here the next letter of a name. To write, it predicts a letter, adds it
to the text, and predicts again. All it knows is in its weights (parameters), a few
thousand numbers, random at first. Training takes names from input.txt one by one, and
does four things with each:

    forward pass     predict every letter from the letters before it
    loss             say in one number how wrong the predictions were
    backward pass    find how the loss would change with each weight (the gradient)
    update           change each weight a little, so that the loss falls

After a thousand names, it makes up others, such as amadon and emelen.
"""
import contextlib
import itertools
import math
import operator
import random
from pathlib import Path

# %% Settings (hyperparameters and a few others): change one, and run again
n_layer = 1           # layers (transformer blocks)
n_embd = 16           # numbers in a token's vector (embedding)
n_head = 4            # attention heads in each layer
block_size = 16       # tokens read at most (context length)
num_steps = 1000      # training steps, one name each
learning_rate = 0.01  # how far the first steps move a weight
temperature = 0.5     # above 0; the lower, the less random the names
num_samples = 20      # names to write at the end
prompt = ""           # how these names begin: try "mar"
seed = 42

# %% Dataset and tokenizer: letters become numbers, called tokens
BOS = "<BOS>"  # beginning of sequence; it marks the end, too


def read_docs():
    """Return the documents, the lines of input.txt. If it's missing, download names."""
    path = Path("input.txt")
    if not path.exists() and not path.is_symlink():
        from urllib.request import urlopen
        url = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
        print("no input.txt here: downloading", url)
        path.write_bytes(urlopen(url).read())

    text = path.read_text(encoding="utf-8-sig")
    docs = [line.strip() for line in text.split("\n") if line.strip()]
    if not docs or "\0" in text:
        raise ValueError("it must have text, in UTF-8")
    return docs


def encode(text, vocab):
    """Return the tokens of a text: "emma" -> [26, 4, 12, 12, 0, 26]. A token is the
    index of a letter (any character) or BOS in vocab, the list ["a", ..., "z", BOS]."""
    for letter in text:
        assert letter in vocab, f"{letter!r} is not among the letters of {vocab}"
    return [vocab.index(symbol) for symbol in [BOS, *text, BOS]]


# %% Autograd: derivatives by the chain rule
class Value:
    """A number that remembers how it was computed: a node of a computation graph."""
    __slots__ = ("data", "inputs", "local_grads", "grad", "serial")
    serials = itertools.count()

    def __init__(self, data, inputs=(), local_grads=()):
        self.data = data
        self.inputs = inputs               # the Values it was computed from
        self.local_grads = local_grads     # d self / d input, for each of them
        self.grad = 0.0                    # d loss / d self, after loss.backward()
        self.serial = next(Value.serials)  # larger than those of its inputs

    def __repr__(self): return f"Value({self.data:.6g}, grad={self.grad:.6g})"

    # Each operation gives its result, its inputs, and the derivative for each input.
    def __add__(a, b):
        b = Value(b) if isinstance(b, (int, float)) else b
        return Value(a.data + b.data, (a, b), (1.0, 1.0))

    def __sub__(a, b):
        b = Value(b) if isinstance(b, (int, float)) else b
        return Value(a.data - b.data, (a, b), (1.0, -1.0))

    def __mul__(a, b):
        b = Value(b) if isinstance(b, (int, float)) else b
        return Value(a.data * b.data, (a, b), (b.data, a.data))

    # In a ** k, k is a plain number.
    def __pow__(a, k): return Value(a.data ** k, (a,), (k * a.data ** (k - 1),))
    def exp(a): return Value(math.exp(a.data), (a,), (math.exp(a.data),))
    def log(a): return Value(math.log(a.data), (a,), (1 / a.data,))

    # The others are made of these. Python calls the last four for 2 + a, 2 - a, ...
    def __neg__(a): return a * -1
    def __truediv__(a, b): return a * b ** -1
    def __radd__(a, b): return a + b
    def __rsub__(a, b): return -a + b
    def __rmul__(a, b): return a * b
    def __rtruediv__(a, b): return a ** -1 * b

    def backward(self):
        """Backpropagation: find the grad of every Value that self was computed from.
        The grads of leaves (Values without inputs) add up from one call to the next.

        Chain rule: multiply the derivatives along each path, and add up all paths.
        If a = 5, b = a ** 2 and c = a * b, two paths lead from a to c:

            a -> c         contributes b = 25, with b held constant
            a -> b -> c    contributes db/da * dc/db = 10 * 5 = 50
            together       75; indeed, c = a ** 3 has the derivative 3 * a ** 2 = 75
        """
        # Collect all Values with inputs (so no weights or constants), and clear grad.
        nodes, stack = {self}, [self]
        while stack:
            for source in stack.pop().inputs:
                if source.inputs and source not in nodes:
                    source.grad = 0.0
                    nodes.add(source)
                    stack.append(source)

        # Newest first (reverse topological order): when a node's turn comes, its grad
        # is complete, because all that was computed from it is newer.
        self.grad = 1.0  # d self / d self
        for node in sorted(nodes, key=lambda node: node.serial, reverse=True):
            for source, local_grad in zip(node.inputs, node.local_grads):
                source.grad += local_grad * node.grad


def dot(a, b):
    """Return a[0] * b[0] + a[1] * b[1] + ... (dot product). The derivative with respect
    to a[i] is b[i]. As one node, not one for each * and +, it is much faster."""
    assert len(a) == len(b), f"dot product of vectors of {len(a)} and {len(b)} numbers"
    a_data = [entry.data for entry in a]
    b_data = [entry.data for entry in b]
    return Value(sum(map(operator.mul, a_data, b_data)), (*a, *b), (*b_data, *a_data))


# %% Model: from a token to logits, a score for every token that could come next
# [n] is a vector, a list of n Values, and [m][n] a matrix, a list of m rows [n].
# With the settings above, this happens to each token (norms aside):
#     embedding    add the token's vector and the vector of its position    x [16]
#     layer        add to x what attention finds in the tokens so far       x [16]
#                  add to x what the mlp finds in this token                x [16]
#     logits       compare x with a vector for each possible next token       [27]

def new_model(vocab_size, n_layer, n_embd, n_head, block_size):
    """Return the weights, random at first. Nobody programs what to look for: training
    finds weights that make the loss fall."""
    assert n_head > 0 and n_embd % n_head == 0, f"{n_head = } must divide {n_embd = }"

    def matrix(m, n):
        return [[Value(random.gauss(0, 0.08)) for _ in range(n)] for _ in range(m)]

    def heads():
        return [matrix(n_embd // n_head, n_embd) for _ in range(n_head)]

    return {
        "wte": matrix(vocab_size, n_embd),      # token embeddings
        "wpe": matrix(block_size, n_embd),      # position embeddings
        "lm_head": matrix(vocab_size, n_embd),  # from x to logits
        "layers": [{
            "attn_wq": heads(),                     # from x to query, for each head
            "attn_wk": heads(),                     # from x to key
            "attn_wv": heads(),                     # from x to value
            "attn_wo": matrix(n_embd, n_embd),      # from all heads to x
            "mlp_fc1": matrix(4 * n_embd, n_embd),  # from x to hidden
            "mlp_fc2": matrix(n_embd, 4 * n_embd),  # from hidden to x
        } for _ in range(n_layer)],
    }


def parameters(model):
    """Return all Values in a model, or in any part of it, as one list."""
    if not isinstance(model, (dict, list, tuple)):
        return [model]
    parts = model.values() if isinstance(model, dict) else model
    return [param for part in parts for param in parameters(part)]


def new_cache(model):
    """Return an empty KV cache: keys and values, for each head of each layer."""
    return [[([], []) for _ in layer["attn_wq"]] for layer in model["layers"]]


def add(x, y):
    """[n], [n] -> [n]. Add two vectors, entry by entry."""
    assert len(x) == len(y), f"sum of vectors of {len(x)} and {len(y)} numbers"
    return [a + b for a, b in zip(x, y)]


def linear(x, matrix):
    """[n], [m][n] -> [m]. The dot product of x with each row: large if x points the
    same way as the row, negative if it points the other way."""
    return [dot(row, x) for row in matrix]


def relu(x):
    """[n] -> [n]. Replace negative entries by 0 (rectified linear unit)."""
    return [entry if entry.data > 0 else Value(0.0) for entry in x]


def softmax(scores):
    """[n] -> [n]. Turn scores into probabilities: e^score / (total of all e^score)."""
    return [log_prob.exp() for log_prob in log_softmax(scores)]


def log_softmax(scores):
    """[n] -> [n]. Logarithms of softmax: log(e^score / total) = score - log(total)."""
    # Scores of 9 and 7 have the same softmax as 0 and -2, which can't overflow in exp.
    largest = max(score.data for score in scores)
    shifted = [score - largest for score in scores]
    log_total = sum(score.exp() for score in shifted).log()
    return [score - log_total for score in shifted]


def rmsnorm(x):
    """[n] -> [n]. Divide x by its root mean square (Zhang and Sennrich 2019), so that
    its entries keep one size, however much layers add to them."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5  # 1e-5: never divide by 0
    return [entry * scale for entry in x]


def attention(query, keys, values):
    """[d], [t][d], [t][d] -> [d]. Scaled dot-product attention (Vaswani et al. 2017).
    Each of t tokens has a key, which says what it offers, and a value, a vector to pass
    on. The token being read has a query, which says what it looks for: vowels, perhaps.
    The better a key matches it, the more its value counts. If d = 2 and t = 2:

        query [4, 0]             key [1, 0]           key [0, 1]
        dot product / sqrt(d)    4 / 1.414 = 2.83     0 / 1.414 = 0
        softmax                  94%                  6%
        average of values        94% of [10, 0]  +  6% of [0, 10]  =  [9.4, 0.6]

    Dot products of random vectors grow with sqrt(d). Without the division, softmax
    would give nearly all weight to one token if d is large."""
    scores = [dot(query, key) / math.sqrt(len(query)) for key in keys]
    attn_weights = softmax(scores)
    # zip(*values) gives columns: all first entries, all second entries, ...
    return [dot(attn_weights, column) for column in zip(*values)]


def multi_head_attention(x, layer, layer_cache):
    """[n_embd] -> [n_embd]. Self-attention: each head learns to look for something of
    its own. Tokens come one by one, so the cache holds keys and values of this token
    and earlier ones, never of the future: no causal mask is needed."""
    concatenated = []
    for head, (keys, values) in enumerate(layer_cache):
        query = linear(x, layer["attn_wq"][head])
        keys.append(linear(x, layer["attn_wk"][head]))
        values.append(linear(x, layer["attn_wv"][head]))
        concatenated.extend(attention(query, keys, values))
    return linear(concatenated, layer["attn_wo"])


def mlp(x, layer):
    """[n_embd] -> [n_embd]. Multilayer perceptron: fc1 scores x against 4 * n_embd
    patterns, relu drops negative scores, and fc2 adds up its columns, each times its
    score. Without relu, two matrices could do no more than one."""
    hidden = relu(linear(x, layer["mlp_fc1"]))
    return linear(hidden, layer["mlp_fc2"])


def gpt(token, position, cache, model):
    """Read a token: cache its keys and values, and return the logits for the next."""
    # A token is only a label: m (12) is not twice g (6). Its vector can say more.
    # The position has a vector, too, because the average in attention has no order.
    x = rmsnorm(add(model["wte"][token], model["wpe"][position]))

    # Residual connections: x is added to, not replaced, and gradients pass + unchanged.
    for i, layer in enumerate(model["layers"]):
        x = add(x, multi_head_attention(rmsnorm(x), layer, cache[i]))
        x = add(x, mlp(rmsnorm(x), layer))
    return linear(x, model["lm_head"])


# %% Training
def document_loss(tokens, model):
    """Predict each token of a document from those before it. Return the mean of
    -log(p), where p is the probability of the token that came (cross-entropy). It is
    0 for a sure guess, p = 1, and 3.3 for a blind one, p = 1/27."""
    losses = []
    cache = new_cache(model)
    for position, (token, target) in enumerate(zip(tokens, tokens[1:])):
        logits = gpt(token, position, cache, model)
        losses.append(-log_softmax(logits)[target])
    return sum(losses) / len(losses)


def adam(params, m, v, step, rate, beta1=0.85, beta2=0.99, eps=1e-8):
    """Update the weights by Adam (Kingma and Ba 2014), and clear their gradients.
    Plain gradient descent, weight -= rate * grad, moves each weight downhill. Adam
    replaces grad by m / sqrt(v). m is a running mean of grad, because the grad of a
    single name is a poor guide. v is a running mean of grad ** 2, so sqrt(v) is the
    usual size of grad, and weights with small gradients move as far as others."""
    # Bias correction: m and v start at 0, so at first they are too small. After one
    # step, m is (1 - beta1) * grad = 0.15 * grad, and m / (1 - 0.85) is grad.
    m_correction = 1 - beta1 ** (step + 1)
    v_correction = 1 - beta2 ** (step + 1)

    for i, param in enumerate(params):
        # m goes back about 7 names, v 100. (The usual 0.9 and 0.999: 10 and 1,000.)
        m[i] = beta1 * m[i] + (1 - beta1) * param.grad
        v[i] = beta2 * v[i] + (1 - beta2) * param.grad ** 2
        m_hat = m[i] / m_correction
        v_hat = v[i] / v_correction
        param.data -= rate * m_hat / (math.sqrt(v_hat) + eps)
        param.grad = 0.0


def train(model, docs, vocab, num_steps, learning_rate):
    """Train a model on one document after another, and return the losses. Ctrl-C ends
    it early. Each call begins with docs[0] and the full rate: shuffle docs before."""
    vocab_size, block_size = len(model["wte"]), len(model["wpe"])
    assert len(vocab) == vocab_size, f"vocab has {len(vocab)} tokens, wte {vocab_size}"
    losses = []
    params = parameters(model)
    m, v = [0.0] * len(params), [0.0] * len(params)
    for param in params:
        param.grad = 0.0  # from an earlier backward()

    with contextlib.suppress(KeyboardInterrupt):
        for step in range(num_steps):
            doc = docs[step % len(docs)][:block_size]
            tokens = encode(doc, vocab)[:block_size + 1]  # the last is only a target
            decayed_rate = learning_rate * (1 - step / num_steps)

            loss = document_loss(tokens, model)     # forward pass and loss
            loss.backward()                         # backward pass
            adam(params, m, v, step, decayed_rate)  # update

            losses.append(loss.data)
            recent = losses[-100:]
            print(f"step {step + 1:4d} / {num_steps:4d} | loss {loss.data:.4f}"
                  f" | mean of last 100: {sum(recent) / len(recent):<12.4f}", end="\r")
    print()
    return losses


# %% Sampling (inference): the trained model writes
def sample(model, vocab, temperature=1.0, prompt=""):
    """Continue a prompt shorter than block_size, each letter drawn by its probability.
    Temperatures below 1 widen the gaps between logits: likely letters get likelier."""
    assert temperature > 0, f"{temperature = } must be above 0"
    tokens = encode(prompt, vocab)[:-1]  # without the end
    cache = new_cache(model)
    for position in range(len(model["wpe"])):
        logits = gpt(tokens[position], position, cache, model)
        if position == len(tokens) - 1:  # all is read: write on
            probs = softmax([logit / temperature for logit in logits])
            token = random.choices(range(len(vocab)), [prob.data for prob in probs])[0]
            if vocab[token] == BOS:
                break
            tokens.append(token)
    return "".join(vocab[token] for token in tokens[1:])


# %% Run
if __name__ == "__main__":
    random.seed(seed)
    try:
        docs = read_docs()
    except Exception as error:
        raise SystemExit(f"cannot read or download input.txt: {error}") from None
    random.shuffle(docs)
    vocab = sorted(set("".join(docs))) + [BOS]
    encode(prompt, vocab)  # refuse a wrong prompt now, not after training
    assert temperature > 0, f"{temperature = } must be above 0"
    model = new_model(len(vocab), n_layer, n_embd, n_head, block_size)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {len(vocab)}")
    print(f"num params: {len(parameters(model))}")

    losses = train(model, docs, vocab, num_steps, learning_rate)

    print("--- inference (new, hallucinated names) ---")
    for i in range(num_samples):
        print(f"sample {i + 1:2d}: {sample(model, vocab, temperature, prompt)}")
