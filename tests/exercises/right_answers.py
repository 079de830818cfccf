"""Right answers to every exercise, each in two styles or more."""

from right_answers_around import AROUND

RIGHT = {
    "slopes": [
        """
def slopes(a_i, a_g, di, dg):
    i = 1 / (1 + np.exp(-a_i))
    g = np.tanh(a_g)
    da_i = di * i * (1 - i)
    da_g = dg * (1 - g**2)
    return da_i, da_g
""",
        """
def slopes(a_i, a_g, di, dg):
    da_i, da_g = np.empty_like(a_i), np.empty_like(a_g)
    for k in range(a_i.shape[0]):
        for b in range(a_i.shape[1]):
            e = np.exp(-a_i[k, b])
            da_i[k, b] = di[k, b] * e / (1 + e) ** 2
            da_g[k, b] = dg[k, b] / np.cosh(a_g[k, b]) ** 2
    return [da_i, da_g]
""",
    ],
    "softmax-cross-entropy": [
        """
def softmax_cross_entropy(logits, targets):
    N, V = logits.shape
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), targets]).mean()
    dlogits = p.copy()
    dlogits[np.arange(N), targets] -= 1
    dlogits = dlogits / N
    return loss, dlogits
""",
        """
def softmax_cross_entropy(logits, targets):
    loss, rows = 0.0, []
    for z, target in zip(logits, targets):
        z = z - max(z)
        log_p = z - np.log(sum(np.exp(z)))
        loss -= log_p[target] / len(logits)
        rows.append([(np.exp(log_p[v]) - (v == target)) / len(logits) for v in range(len(z))])
    return loss, rows
""",
    ],
    "embedding-backward": [
        """
def embedding_backward(ids, dy, V):
    dtable = np.zeros((V, dy.shape[-1]))
    np.add.at(dtable, ids, dy)
    return dtable
""",
        """
def embedding_backward(ids, dy, V):
    one_hot = np.eye(V)[ids]
    dtable = np.einsum("tbv,tbe->ve", one_hot, dy)
    return (dtable)
""",
        """
def embedding_backward(ids, dy, V):
    dtable = np.zeros((V, dy.shape[-1]))
    for v, row in zip(ids.ravel(), dy.reshape(-1, dy.shape[-1])):
        dtable[v] += row
    return dtable
""",
    ],
    "rnn-forward": [
        """
def rnn_forward(x, h_prev, W, U, b):
    a = W @ x + U @ h_prev + b[:, None]
    return np.tanh(a)
""",
        """
def rnn_forward(x, h_prev, W, U, b):
    rows = x.T @ W.T + h_prev.T @ U.T + b
    return np.tanh(rows).T
""",
    ],
    "rnn-backward": [
        """
def rnn_backward(dh, x, h_prev, h, W, U):
    da = dh * (1 - h**2)
    dh_prev = U.T @ da
    dx = W.T @ da
    dW = da @ x.T
    dU = da @ h_prev.T
    db = da.sum(axis=1)
    return da, dh_prev, dx, dW, dU, db
""",
        """
def rnn_backward(dh, x, h_prev, h, W, U):
    da = np.einsum("hb,hb->hb", dh, 1 - h * h)
    dh_prev = np.einsum("kh,kb->hb", U, da)
    dx = (da.T @ W).T
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(len(U))
    for b in range(dh.shape[1]):
        dW += np.outer(da[:, b], x[:, b])
        dU += np.outer(da[:, b], h_prev[:, b])
        db += da[:, b]
    return da, dh_prev, dx, dW, dU, db
""",
    ],
    "two-sources": [
        """
def two_sources(d_output, hs, U):
    dh = np.zeros_like(d_output)
    future = np.zeros_like(d_output[0])
    for t in range(len(hs) - 1, -1, -1):
        dh[t] = d_output[t] + future
        da = dh[t] * (1 - hs[t] ** 2)
        future = U.T @ da
    return dh, future
""",
        """
def two_sources(d_output, hs, U):
    def back(t):
        if t == len(hs):
            return []
        later = back(t + 1)
        above = d_output[t]
        return [above + (U.T @ (later[0] * (1 - hs[t + 1] ** 2)) if later else 0), *later]
    dh = np.array(back(0))
    return dh, np.einsum("kh,kb->hb", U, dh[0] * (1 - hs[0] ** 2))
""",
    ],
    "time-sums": [
        """
def time_sums(da, xs, hs):
    T, H, B = da.shape
    dW, dU, db = np.zeros((H, xs.shape[1])), np.zeros((H, H)), np.zeros(H)
    for t in range(T):
        dW += da[t] @ xs[t].T
        dU += da[t] @ hs[t].T
        db += da[t].sum(axis=1)
    return dW, dU, db
""",
        """
def time_sums(da, xs, hs):
    dW = np.einsum("thb,tdb->hd", da, xs)
    dU = np.einsum("thb,tkb->hk", da, hs[:-1])
    return dW, dU, da.sum(axis=(0, 2))
""",
    ],
    "truncated-bptt": [
        """
def truncated_bptt(d_output, hs, U, k):
    T = len(d_output)
    dh, dU = np.zeros_like(d_output), np.zeros_like(U)
    future = np.zeros_like(d_output[0])
    for t in reversed(range(T)):
        if (t + 1) % k == 0:
            future = np.zeros_like(future)
        dh[t] = d_output[t] + future
        da = dh[t] * (1 - hs[t + 1] ** 2)
        dU += da @ hs[t].T
        future = U.T @ da
    return dh, dU
""",
        """
def truncated_bptt(d_output, hs, U, k):
    dh, dU = [], 0
    for begin in range(0, len(d_output), k):
        stretch, future = [], 0
        for above, h, h_prev in reversed(list(zip(d_output[begin:begin + k], hs[begin + 1:], hs[begin:]))):
            stretch.insert(0, above + future)
            da = stretch[0] * (1 - h * h)
            future = U.T @ da
            dU = dU + np.einsum("ib,jb->ij", da, h_prev)
        dh += stretch
    return np.stack(dh), dU
""",
    ],
    "gru-backward": [
        """
def gru_backward(dh, h_prev, r, z, n, U_r, U_z, U_n):
    s = r * h_prev
    dz = dh * (h_prev - n)
    da_z = dz * z * (1 - z)
    dn = dh * (1 - z)
    da_n = dn * (1 - n**2)
    ds = U_n.T @ da_n
    dr = ds * h_prev
    da_r = dr * r * (1 - r)
    dh_prev = z * dh + r * ds + U_r.T @ da_r + U_z.T @ da_z
    dU_r = da_r @ h_prev.T
    dU_z = da_z @ h_prev.T
    dU_n = da_n @ s.T
    return da_z, da_n, da_r, dh_prev, dU_r, dU_z, dU_n
""",
        """
def gru_backward(dh, h_prev, r, z, n, U_r, U_z, U_n):
    outer = lambda a, b: np.einsum("ib,jb->ij", a, b)
    da_z = (dh * h_prev - dh * n) * (z - z * z)
    da_n = (dh - dh * z) * (1 - n) * (1 + n)
    ds = (da_n.T @ U_n).T
    da_r = ds * h_prev * (r - r * r)
    through_gates = np.concatenate([U_r, U_z]).T @ np.concatenate([da_r, da_z])
    dh_prev = through_gates + z * dh + r * ds
    return da_z, da_n, da_r, dh_prev, outer(da_r, h_prev), outer(da_z, h_prev), outer(da_n, r * h_prev)
""",
    ],
    "lstm-forward": [
        """
def lstm_forward(x, h_prev, c_prev, W, U, b):
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    H = len(h_prev)
    a = W @ x + U @ h_prev + b[:, None]
    i = sigmoid(a[:H])
    f = sigmoid(a[H:2*H])
    g = np.tanh(a[2*H:3*H])
    o = sigmoid(a[3*H:])
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    return c, h
""",
        """
def lstm_forward(x, h_prev, c_prev, W, U, b):
    weights = np.hstack([W, U, b.reshape(-1, 1)])
    a = np.split((np.vstack([x, h_prev, np.ones((1, x.shape[1]))]).T @ weights.T).T, 4)
    i, f, o = (0.5 * (np.tanh(a[k] / 2) + 1) for k in (0, 1, 3))
    c = c_prev * f + np.tanh(a[2]) * i
    return c, np.tanh(c) * o
""",
    ],
    "lstm-backward": [
        """
def lstm_backward(dh, dc_from_future, i, f, g, o, c_prev, U):
    c = f * c_prev + i * g
    tanh_c = np.tanh(c)
    do = dh * tanh_c
    da_o = do * o * (1 - o)
    dc = dc_from_future + dh * o * (1 - tanh_c**2)
    di = dc * g
    da_i = di * i * (1 - i)
    df = dc * c_prev
    da_f = df * f * (1 - f)
    dg = dc * i
    da_g = dg * (1 - g**2)
    dc_prev = dc * f
    dh_prev = U.T @ np.concatenate([da_i, da_f, da_g, da_o])
    return da_o, da_i, da_f, da_g, dc_prev, dh_prev
""",
        """
def lstm_backward(dh, dc_from_future, i, f, g, o, c_prev, U):
    U_i, U_f, U_g, U_o = np.split(U, 4)
    t = np.tanh(f * c_prev + i * g)
    dc = dc_from_future + dh * o / np.cosh(np.arctanh(t)) ** 2
    da_o, da_i, da_f = dh * t * (o - o * o), dc * g * (i - i * i), dc * c_prev * (f - f * f)
    da_g = np.einsum("hb,hb,hb->hb", dc, i, (1 + g) * (1 - g))
    dh_prev = sum((d.T @ u).T for d, u in zip((da_i, da_f, da_g, da_o), (U_i, U_f, U_g, U_o)))
    return da_o, da_i, da_f, da_g, f * dc, dh_prev
""",
    ],
    **AROUND,
}
