"""Right answers to the exercises about what stands around a cell, each in two styles or more."""

AROUND = {
    "masked-loop": [
        """
def masked_loop(xs, lengths, h_initial, W, U, b):
    h = h_initial
    output = []
    for t, x in enumerate(xs):
        new = np.tanh(W @ x + U @ h + b[:, None])
        real = t < lengths
        h = np.where(real, new, h)
        output.append(np.where(real, h, 0))
    return np.stack(output), h
""",
        """
def masked_loop(xs, lengths, h_initial, W, U, b):
    output, final = np.zeros((len(xs), *h_initial.shape)), h_initial.copy()
    for j, length in enumerate(lengths):
        for t in range(length):
            final[:, j] = np.tanh(W @ xs[t, :, j] + U @ final[:, j] + b)
            output[t, :, j] = final[:, j]
    return output, final
""",
        """
def masked_loop(xs, lengths, h_initial, W, U, b):
    h, output = h_initial, np.empty((len(xs),) + h_initial.shape)
    for t in range(len(xs)):
        m = (t < lengths).astype(float)
        h = m * np.tanh(W @ xs[t] + U @ h + b[:, None]) + (1 - m) * h
        output[t] = m * h
    return output, h
""",
    ],
    "attention-backward": [
        """
def attention_backward(dc, q, K, V, alpha):
    dalpha = np.einsum("bse,be->bs", V, dc)
    dV = alpha[:, :, None] * dc[:, None, :]
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=1, keepdims=True))
    dq = np.einsum("bs,bsa->ba", de, K)
    dK = de[:, :, None] * q[:, None, :]
    return dalpha, dV, de, dq, dK
""",
        """
def attention_backward(dc, q, K, V, alpha):
    results = []
    for d, query, keys, values, w in zip(dc, q, K, V, alpha):
        dw = values @ d
        de = (np.diag(w) - np.outer(w, w)) @ dw
        results.append((dw, np.outer(w, d), de, de @ keys, np.outer(de, query)))
    return tuple(np.stack(one) for one in zip(*results))
""",
    ],
    "clip-norm": [
        """
def clip_norm(dW, dU, db, max_norm):
    norm = np.sqrt((dW**2).sum() + (dU**2).sum() + (db**2).sum())
    factor = min(1, max_norm / norm)
    return norm, dW * factor, dU * factor, db * factor
""",
        """
def clip_norm(dW, dU, db, max_norm):
    norm = np.linalg.norm(np.concatenate([dW.ravel(), dU.ravel(), db.ravel()]))
    if norm <= max_norm:
        return norm, dW, dU, db
    return (norm, *(g / norm * max_norm for g in (dW, dU, db)))
""",
    ],
    "beam-step": [
        """
def beam_step(log_prob, log_probs):
    K, V = log_probs.shape
    scores = log_prob[:, None] + log_probs
    best = np.argsort(-scores.ravel(), kind="stable")[:K]
    parents, tokens = best // V, best % V
    totals = scores.ravel()[best]
    return parents, tokens, totals
""",
        """
def beam_step(log_prob, log_probs):
    found = []
    for k, before in enumerate(log_prob):
        for v, new in enumerate(log_probs[k]):
            found.append((-(before + new), k, v))
    found = sorted(found)[:len(log_prob)]
    return [k for _, k, v in found], [v for _, k, v in found], [-minus for minus, _, _ in found]
""",
    ],
    "clipped-precision": [
        """
def clipped_precision(hypothesis, reference, n):
    grams = lambda words: [tuple(words[i:i + n]) for i in range(len(words) - n + 1)]
    found, wanted = Counter(grams(hypothesis)), Counter(grams(reference))
    matches = sum(min(count, wanted[g]) for g, count in found.items())
    return matches / sum(found.values())
""",
        """
def clipped_precision(hypothesis, reference, n):
    left = [" ".join(reference[i:i + n]) for i in range(len(reference) - n + 1)]
    matches = total = 0
    for gram in zip(*(hypothesis[i:] for i in range(n))):
        total += 1
        if " ".join(gram) in left:
            left.remove(" ".join(gram))
            matches += 1
    return matches / total
""",
    ],
}
