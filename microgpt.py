"""microgpt: a whole GPT (generative pretrained transformer) in plain Python; design and output are
Andrej Karpathy's (karpathy.github.io/2026/02/12/microgpt). A language model reads the start of a
text and says how likely each letter is to come next. This one learns it from names, to make up its
own. A number, the loss, says how wrong it is; the chain rule, how to change its numbers."""
import contextlib, gc, itertools, math, operator, os, random, sys

# %% Settings: change a number and run again (each word is explained where the file comes to it)
n_layer = 1           # rounds of attention and MLP: more can learn subtler rules, but run slower
n_embd = 16           # numbers that stand for a token, its vector: more say more, but run slower
n_head = 4            # attention heads, things to look for at once; n_embd is divided among them
block_size = 16       # the most tokens it reads of a document; the longest name: 15 letters + BOS
num_steps = 1000      # training steps, one document each: more of them teach it more
learning_rate = 0.01  # how far a step moves a weight, at first: less is slow, far more is chaos
temperature = 0.5     # daring of the samples: near 0 the likeliest letters, 1 as learned, 2 wild
num_samples = 20      # names to make up at the end
seed = 42             # where the random numbers begin: another seed, other weights and names

# %% Data: each line of input.txt is a document, here a name; each letter becomes a token, a number
def load_docs(url="https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"):
    """The lines of input.txt, fetched from url if there is no such file; SystemExit if no text."""
    try:
        if not os.path.exists("input.txt"):
            from urllib.request import urlopen
            with urlopen(url, timeout=20) as reply: names = reply.read()
            with open("input.txt.part", "wb") as file: file.write(names)
            os.replace("input.txt.part", "input.txt")  # only a whole file gets the name
        with open("input.txt", encoding="utf-8-sig") as file:  # -sig: skip a byte order mark
            docs = [line.strip() for line in file if line.strip()]
        if not docs or "\0" in "".join(docs): raise ValueError("input.txt is empty or binary")
        return docs
    except Exception as error:
        sys.exit(f"No text to learn from ({error}): save one as input.txt, UTF-8, one doc a line")
def encode(text, vocab):
    """Tokens by vocab, {letter: token}; BOS (beginning of sequence) at both ends; or ValueError."""
    if not set(text) <= vocab.keys(): raise ValueError(f"a letter of {text!r} was never trained on")
    return [len(vocab)] + [vocab[letter] for letter in text] + [len(vocab)]  # BOS: the next number

# %% Value: a number that knows how it was computed, so that the chain rule can go back over it
def as_value(number): return number if isinstance(number, Value) else Value(number)  # to mix both
class Value:
    """A number, `data`; `inputs`, the Values it was computed from; `derivatives`, d data / d input.
    A leaf (weight, constant) has neither. `grad`, gradient: d loss / d data, by loss.backward()."""
    __slots__ = ("data", "grad", "inputs", "derivatives", "birth", "unvisited")
    births, recording = itertools.count(), True  # birth: 0, 1, 2, ...; backward() sorts by it
    def __init__(self, data, inputs=(), derivatives=()):
        if not Value.recording: inputs = derivatives = ()  # in sample(): no gradients are wanted
        self.data, self.grad, self.birth = data, 0.0, next(Value.births)  # unvisited: never a leaf
        self.inputs, self.derivatives, self.unvisited = inputs, derivatives, len(inputs) > 0
    # Each operation: its result, what that was computed from, and the derivative by each of these.
    def __add__(a, b): return Value(a.data + (b := as_value(b)).data, (a, b), (1.0, 1.0))
    def __sub__(a, b): return Value(a.data - (b := as_value(b)).data, (a, b), (1.0, -1.0))
    def __mul__(a, b): return Value(a.data * (b := as_value(b)).data, (a, b), (b.data, a.data))
    def __pow__(a, k): return Value(a.data ** k, (a,), (k and k * a.data ** (k - 1),))  # no 0 ** -1
    def exp(a): return Value(math.exp(a.data), (a,), (math.exp(a.data),))
    def log(a): return Value(math.log(a.data), (a,), (1 / a.data,))
    def relu(a): return a if a.data > 0 else Value(0.0)  # slope 1 or 0; without it MLP = linear()
    def __neg__(a): return a * -1
    def __truediv__(a, b): return a * b ** -1
    def __rsub__(a, b): return as_value(b) - a
    def __rtruediv__(a, b): return as_value(b) / a
    __radd__, __rmul__ = __add__, __mul__
    def __repr__(self): return f"Value({self.data:.4g}, grad={self.grad:.4g})"
    def backward(self):
        """Set grad of each Value behind self to d self / d Value; leaves add it up until zeroed."""
        self.grad, nodes = (1.0, [self]) if self.inputs else (self.grad + 1.0, [])  # leaf: adds up
        for node in nodes:  # it grows while we walk along it: self and all behind but leaves
            for value in node.inputs:
                if value.unvisited:  # (leaves never are)
                    value.unvisited, value.grad = False, 0.0
                    nodes.append(value)
        for node in sorted(nodes, key=lambda node: -node.birth):  # from the result to its inputs
            node.unvisited, grad = True, node.grad  # grad is complete: all that uses node is done
            for value, derivative in zip(node.inputs, node.derivatives):
                value.grad += derivative * grad  # chain rule; used twice, add: (x * x)' = x + x

# %% Weights, also called parameters: the numbers that training changes
def init_weights(vocab_size, n_embd, n_layer, block_size):
    """The state_dict (so called in PyTorch, a library), {name: matrix}; a matrix: a list of rows of
    Values. Random: equal columns would change equally, be as one; small: no early favorite."""
    shapes = {"wte": (vocab_size, n_embd),      # token embedding: a vector each, learned from use
              "wpe": (block_size, n_embd),      # position embedding, added to it: for letter order
              "lm_head": (vocab_size, n_embd)}  # language model's head (not attention's): scores
    for i in range(n_layer):  # query, key, value: see attention(); o, output: mixes heads' finds
        for kind in "qkvo": shapes[f"layer{i}.attn_w{kind}"] = n_embd, n_embd  # 4 below: usual
        shapes[f"layer{i}.mlp_fc1"] = (4 * n_embd, n_embd)  # MLP (multilayer perceptron): each fc1
        shapes[f"layer{i}.mlp_fc2"] = (n_embd, 4 * n_embd)  # row seeks a pattern; fc2: what it adds
    return {name: [[Value(random.gauss(0, 0.08)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in shapes.items()}

# %% Model: from the tokens so far to a score for each that could be next. [n] is a list of n Values
def linear(x, rows):
    """[n], [m][n] -> [m]: for each row the dot product row[0] x[0] + row[1] x[1] + ..., one Value:
    its derivative by an entry of row is the entry of x beside it, and the other way round."""
    x_data = [value.data for value in x]
    return [Value(sum(map(operator.mul, x_data, row_data := [entry.data for entry in row])),
                  [*row, *x], x_data + row_data) for row in rows]  # + joins lists: by row, by x
def log_sum_exp(scores):
    """[n] -> log of the sum of e^score, for softmax and the loss; derivatives: e^score / sum."""
    top = max([score.data for score in scores])  # out and back in, so it cancels (e^1000 overflows)
    total = sum(powers := [math.exp(score.data - top) for score in scores])
    return Value(top + math.log(total), tuple(scores), [power / total for power in powers])
def softmax(scores):
    """[n] -> [n]: scores to probabilities, e^score / sum of e^score: positive, summing to 1."""
    log_total = log_sum_exp(scores)
    return [(score - log_total).exp() for score in scores]  # e^(a - log b) is e^a / b
def rmsnorm(x):
    """[n] -> [n]: x over its root mean square, so it can't swell or fade (Zhang, Sennrich 2019)."""
    scale = (linear(x, [x])[0] / len(x) + 1e-5) ** -0.5  # a sum of squares; 1e-5: no division by 0
    return [value * scale for value in x]
def attention(query, keys, values, head):
    """What one head (`head`, a slice: its part of a vector) takes from positions so far (Vaswani et
    al. 2017). The query says what this position seeks, a key what each has (a vowel, say; learned);
    their dot product is the fit. Out: mean of the values (what each tells), by softmax of fits."""
    scaled = [entry / len(query[head]) ** 0.5 for entry in query[head]]  # so that fits stay modest
    shares = softmax(linear(scaled, [vector[head] for vector in keys]))  # one dot product per key
    return linear(shares, zip(*[vector[head] for vector in values]))  # zip: columns become rows

def gpt(tokens, state_dict, n_head):
    """Read tokens one at a time; after each, yield the logits: a score for each that could be next.
    To x, token + position, a layer adds what attention finds here and earlier (later keys are not
    there yet), then what an MLP makes of the sum. As it only adds (a residual connection), x passes
    gradients back undiminished. A transformer is such layers, as in GPT-2 (Radford et al. 2019)."""
    kept = [([], []) for name in state_dict if name.endswith("attn_wq")]  # KV cache: keys, values
    for token, position_vector in zip(tokens, state_dict["wpe"]):  # block_size at most, rest unread
        x = rmsnorm([a + b for a, b in zip(state_dict["wte"][token], position_vector)])  # to rms 1
        heads = [slice(h * len(x) // n_head, (h + 1) * len(x) // n_head) for h in range(n_head)]
        for i, (keys, values) in enumerate(kept):
            normed = rmsnorm(x)  # does little in layer 0; later x has grown: all read it at rms 1
            query = linear(normed, state_dict[f"layer{i}.attn_wq"])
            keys.append(linear(normed, state_dict[f"layer{i}.attn_wk"]))
            values.append(linear(normed, state_dict[f"layer{i}.attn_wv"]))
            found = [out for head in heads for out in attention(query, keys, values, head)]
            x = [a + b for a, b in zip(x, linear(found, state_dict[f"layer{i}.attn_wo"]))]
            hidden = [value.relu() for value in linear(rmsnorm(x), state_dict[f"layer{i}.mlp_fc1"])]
            x = [a + b for a, b in zip(x, linear(hidden, state_dict[f"layer{i}.mlp_fc2"]))]
        yield linear(x, state_dict["lm_head"])  # (GPT-2 has a norm here; Karpathy's design, none)

def document_loss(tokens, state_dict, n_head):
    """Mean of -log(probability of next token): 0 if it's 1, log 27 if 1/27 (27 tokens, no clue)."""
    losses = [log_sum_exp(logits) - logits[target]  # cross-entropy, -log(softmax(logits)[target])
              for logits, target in zip(gpt(tokens[:-1], state_dict, n_head), tokens[1:])]
    return sum(losses) / len(losses)

# %% Optimizer: how the weights get better
class Adam:
    """Lowers the loss: moves each parameter against the running mean of its gradients (one document
    misleads) / their running root mean square: rarely by more than `rate` (Kingma and Ba 2014)."""
    def __init__(self, params):
        self.params, self.steps = params, 0
        self.means, self.squares = [0.0] * len(params), [0.0] * len(params)
    def step(self, rate, beta1=0.85, beta2=0.99, epsilon=1e-8):
        """Move each parameter, zero its gradient. A mean: beta * old (at first 0) + rest * new."""
        self.steps += 1
        filled1, filled2 = 1 - beta1 ** self.steps, 1 - beta2 ** self.steps  # share not the first 0
        for i, param in enumerate(self.params):
            mean = self.means[i] = beta1 * self.means[i] + (1 - beta1) * param.grad
            square = self.squares[i] = beta2 * self.squares[i] + (1 - beta2) * param.grad ** 2
            param.data -= rate * (mean / filled1) / (math.sqrt(square / filled2) + epsilon)
            param.grad = 0.0

# %% Sampling: the model writes a letter, reads it, and writes on
def sample(state_dict, n_head, vocab, temperature=1.0, start=""):
    """`start`, then letters drawn by softmax(logits / temperature); ValueError as in encode()."""
    letters, tokens = list(vocab), encode(start, vocab)[:-1]  # letters[token]; no BOS at end
    try:  # islice below: skip the logits for letters that start already has
        Value.recording = False  # without gradients: what a Value was computed from can be let go
        for logits in itertools.islice(gpt(tokens, state_dict, n_head), len(start), None):
            probabilities = softmax([logit / temperature for logit in logits])  # low: gaps widen
            [token] = random.choices(range(len(logits)), [p.data for p in probabilities])
            if token == len(vocab): break  # BOS: the end
            tokens.append(token)  # the loop in gpt() goes on to read it
        return "".join([letters[token] for token in tokens[1:]])
    finally: Value.recording = True

# %% Run: train, then sample
if __name__ == "__main__":
    if min(n_embd, n_head, block_size, temperature) <= 0 or n_embd % n_head:
        sys.exit(f"n_head ({n_head}) must divide n_embd ({n_embd}); block_size, temperature > 0")
    if hasattr(sys.stdout, "reconfigure"): sys.stdout.reconfigure(errors="replace")  # no code: "?"
    if hasattr(gc, "set_threshold"): gc.set_threshold(10 ** 6)  # gc seeks cycles, slowly: none here
    random.seed(seed)
    docs = load_docs()
    random.shuffle(docs)
    vocab = {letter: token for token, letter in enumerate(sorted(set("".join(docs))))}
    state_dict = init_weights(len(vocab) + 1, n_embd, n_layer, block_size)  # + 1: BOS
    params = [weight for matrix in state_dict.values() for row in matrix for weight in row]
    optimizer, recent = Adam(params), []
    print(f"num docs: {len(docs)}\nvocab size: {len(vocab) + 1}\nnum params: {len(params)}")
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C: enough learned, on to the samples
        for step in range(num_steps):
            loss = document_loss(encode(docs[step % len(docs)], vocab), state_dict, n_head)
            loss.backward()
            optimizer.step(learning_rate * (1 - step / num_steps))  # smaller and smaller, to settle
            recent = recent[-99:] + [loss.data]
            print(f"step {step + 1:4d} / {num_steps:4d} | loss {loss.data:.4f} | "
                  f"mean of last 100: {sum(recent) / len(recent):.4f}  ", end="\r", flush=True)
            del loss  # and with it all that it was computed from, before the next is built
    print("\n--- inference (new, hallucinated names) ---")  # inference: using what was learned
    for i in range(num_samples):
        print(f"sample {i + 1:2d}: {sample(state_dict, n_head, vocab, temperature)}")
