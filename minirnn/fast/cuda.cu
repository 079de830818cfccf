/* The kernels of `cuda.py`, which says what they are for, and puts above them what cell and dtype they are compiled for:
   LSTM, GRU or RNN; `real`, and DOUBLE if that is double; GATES, KEPT, UNITS, COLUMNS and THREADS. */

struct alignas(4 * sizeof(real)) vec4 { real v[4]; };

/* Past the cache of one multiprocessor, because another one may have written it just now. */
#ifdef DOUBLE
__device__ vec4 fresh(const real* p) {
    vec4 r; double2 a = __ldcg((const double2*)p), b = __ldcg((const double2*)p + 1);
    r.v[0] = a.x; r.v[1] = a.y; r.v[2] = b.x; r.v[3] = b.y; return r;
}
#else
__device__ vec4 fresh(const real* p) {
    vec4 r; float4 a = __ldcg((const float4*)p);
    r.v[0] = a.x; r.v[1] = a.y; r.v[2] = a.z; r.v[3] = a.w; return r;
}
#endif
__device__ vec4 weights(const real* p) { return *(const vec4*)p; }

__device__ real sigmoid(real a) { return real(0.5) + real(0.5) * tanh(real(0.5) * a); }

/* No block goes on before `target` blocks have come here, counted over the whole launch. */
__device__ void wait_for_all(unsigned* arrived, unsigned target) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrived, 1u);
        while (*(volatile unsigned*)arrived < target) { }
        __threadfence();
    }
    __syncthreads();
}

struct Walk {
    int T, B, H;
    const bool* real_steps;  /* (T, B): whether step t of a sequence is real; null: all are */
    __device__ long HB() const { return (long)H * B; }
    __device__ bool real_step(int t, int C) const { return !real_steps || real_steps[(long)t * B + C]; }
};

struct Forward { Walk walk; const real *b, *b_u, *wx; real *h, *c, *kept; };

/* W x + b of all gates of unit J in sequence C. */
__device__ void read_wx(const Forward& f, int t, int J, int C, real* a) {
    const Walk& w = f.walk;
    for (int g = 0; g < GATES; g++) {
        const long row = (long)g * w.H + J;
        a[g] = f.wx[(row * w.T + t) * w.B + C] + f.b[row];
    }
}

/* All of step t for unit J in sequence C, from W x + b and U h_{t-1}. The state goes in as it was, and comes out. */
__device__ void step_forward(
    const Forward& f, int t, int J, int C, const real* a, const real* uh, real& h, real& c)
{
    const Walk& w = f.walk;
    const long HB = w.HB(), at = (long)J * w.B + C;
    real* k = f.kept + (long)t * KEPT * HB + at;
    real h_new, c_new = c;
#if defined(LSTM)
    real i = sigmoid(a[0] + uh[0]), f_ = sigmoid(a[1] + uh[1]);                          /* (1), (2) */
    real g = tanh(a[2] + uh[2]), o = sigmoid(a[3] + uh[3]);                              /* (3), (5) */
    real written = i * g, remembered = f_ * c;
    c_new = remembered + written;                                                        /* (4) */
    real tanh_c = tanh(c_new);
    h_new = o * tanh_c;                                                                  /* (6) */
    k[0] = written * (1 - i); k[HB] = remembered * (1 - f_); k[2 * HB] = i - written * g; /* (9), (10), (11) */
    k[3 * HB] = h_new * (1 - o); k[4 * HB] = o - h_new * tanh_c; k[5 * HB] = f_;         /* (7), (8), (12) */
#elif defined(GRU)
    real r = sigmoid(a[0] + uh[0]), z = sigmoid(a[1] + uh[1]);                           /* (1), (2) */
    real q = uh[2] + f.b_u[J], rq = r * q, n = tanh(a[2] + rq);                          /* (3) */
    real stays = z * (h - n);
    h_new = n + stays;                                                                   /* (4) */
    k[0] = rq * (1 - r); k[HB] = stays * (1 - z); k[2 * HB] = (1 - z) * (1 - n * n);     /* (7), (5), (6) */
    k[3 * HB] = r; k[4 * HB] = z;                                                        /* (8), (9) */
#else
    h_new = tanh(a[0] + uh[0]);                                                          /* (1), (2) */
    k[0] = 1 - h_new * h_new;                                                            /* (3) */
#endif
    if (w.real_step(t, C)) { h = h_new; c = c_new; }  /* a padded step leaves the state as it is */
    f.h[(t + 1) * HB + at] = h;
    if (f.c) f.c[(t + 1) * HB + at] = c;
}

/* `direct` is what reaches h_{t-1} past U, and `dc` what reaches c_{t-1}: unit by unit. */
struct Backward { Walk walk; const real *d_output, *kept; real *da, *sent, *direct, *dc; };

/* What the owner of J and C needs beside Uᵀ da: what the step kept and, last, the gradient from above. */
__device__ void read_kept(const Backward& f, int t, int J, int C, real* k) {
    const Walk& w = f.walk;
    const long HB = w.HB(), at = (long)J * w.B + C;
    for (int i = 0; i < KEPT; i++) k[i] = f.kept[((long)t * KEPT + i) * HB + at];
    k[KEPT] = f.d_output ? f.d_output[t * HB + at] : real(0);
}

/* All of step t back for unit J in sequence C; dh_through_U is Uᵀ da of step t+1. `direct` and `dc` go in as step t+1
   left them and come out for step t-1. */
__device__ void step_backward(
    const Backward& f, int t, int J, int C, const real* k, real dh_through_U, real& direct, real& dc)
{
    const Walk& w = f.walk;
    const long TB = (long)w.T * w.B;
    const real dh = direct + dh_through_U + k[KEPT];
    const bool real_step = w.real_step(t, C);
    const real one = real_step ? real(1) : real(0);  /* a padded step only hands the state's gradient on */
    real* d = f.da + (long)J * TB + (long)t * w.B + C;
    real to_U[GATES];
#if defined(LSTM)
    const real dc_t = dc + dh * k[4];                                                    /* (8) */
    to_U[0] = one * dc_t * k[0]; to_U[1] = one * dc_t * k[1];                            /* (9), (10) */
    to_U[2] = one * dc_t * k[2]; to_U[3] = one * dh * k[3];                              /* (11), (7) */
    for (int g = 0; g < GATES; g++) d[g * w.H * TB] = to_U[g];
    if (real_step) dc = dc_t * k[5];                                                     /* (12) */
    direct = real_step ? real(0) : dh;
#elif defined(GRU)
    const real da_z = one * dh * k[1], da_n = one * dh * k[2];                           /* (5), (6) */
    to_U[0] = da_n * k[0]; to_U[1] = da_z; to_U[2] = da_n * k[3];                        /* (7): da_r; (8): dq */
    d[0] = to_U[0]; d[w.H * TB] = to_U[1]; d[2 * w.H * TB] = da_n; d[3 * w.H * TB] = to_U[2];
    direct = real_step ? k[4] * dh : dh;                                                 /* (9) */
#else
    d[0] = to_U[0] = one * dh * k[0];                                                    /* (3) */
    direct = real_step ? real(0) : dh;
#endif
    if (f.sent)
        for (int g = 0; g < GATES; g++) f.sent[((long)g * w.H + J) * w.B + C] = to_U[g];
}

/* Thread t of the first UNITS * COLUMNS owns one (j, b). */
#define OWNER_J (blockIdx.y * UNITS + threadIdx.x / COLUMNS)
#define OWNER_B (blockIdx.x * COLUMNS + threadIdx.x % COLUMNS)
#define OWNS(B) (threadIdx.x < UNITS * COLUMNS && OWNER_B < B)

extern "C" __global__ void __launch_bounds__(THREADS, 1) forward(
    const real* U, const real* b, const real* b_u, const real* wx, real* h, real* c, real* kept, const bool* real_steps,
    int T, int B, int H, int first, int last, unsigned* arrived)
{
    const int SPLITS = THREADS / (UNITS * COLUMNS / 4);
    __shared__ vec4 partial[SPLITS][UNITS][GATES][COLUMNS / 4];
    const Forward f = {{T, B, H, real_steps}, b, b_u, wx, h, c, kept};
    const int quad = threadIdx.x % (COLUMNS / 4), unit = threadIdx.x / (COLUMNS / 4) % UNITS;
    const int split = threadIdx.x / (COLUMNS / 4 * UNITS);
    const int j = blockIdx.y * UNITS + unit, column = blockIdx.x * COLUMNS + 4 * quad;
    const int J = OWNER_J, C = OWNER_B;
    const bool owns = OWNS(B);
    const long HB = (long)H * B, at = (long)J * B + C;
    real own_h = 0, own_c = 0;
    if (owns) { own_h = h[first * HB + at]; own_c = c ? c[first * HB + at] : real(0); }

    for (int t = first; t < last; t++) {
        real a[GATES];
        if (owns) read_wx(f, t, J, C, a);
        if (t > first) wait_for_all(arrived, (t - first) * gridDim.x * gridDim.y);
        vec4 sum[GATES] = {};
        if (column < B) {
            const real* h_prev = h + t * HB + column;
            #pragma unroll 4
            for (int k = 4 * split; k < H; k += 4 * SPLITS) {
                vec4 h_k[4];
                for (int i = 0; i < 4; i++) h_k[i] = fresh(h_prev + (long)(k + i) * B);
                for (int g = 0; g < GATES; g++) {
                    const vec4 u = weights(U + (long)(g * H + j) * H + k);
                    for (int i = 0; i < 4; i++)
                        for (int n = 0; n < 4; n++) sum[g].v[n] += u.v[i] * h_k[i].v[n];
                }
            }
        }
        for (int g = 0; g < GATES; g++) partial[split][unit][g][quad] = sum[g];
        __syncthreads();
        if (owns) {
            real uh[GATES] = {};
            for (int p = 0; p < SPLITS; p++)
                for (int g = 0; g < GATES; g++)
                    uh[g] += partial[p][threadIdx.x / COLUMNS][g][threadIdx.x % COLUMNS / 4].v[threadIdx.x % 4];
            step_forward(f, t, J, C, a, uh, own_h, own_c);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) backward(
    const real* UT, const real* d_output, const real* kept, real* da, real* direct, real* dc, const bool* real_steps,
    int T, int B, int H, int first, int last, unsigned* arrived)
{
    const int SPLITS = THREADS / (COLUMNS / 4), K = GATES * H;
    __shared__ vec4 partial[SPLITS][UNITS][COLUMNS / 4];
    const Backward f = {{T, B, H, real_steps}, d_output, kept, da, 0, direct, dc};
    const int quad = threadIdx.x % (COLUMNS / 4), split = threadIdx.x / (COLUMNS / 4);
    const int j = blockIdx.y * UNITS, column = blockIdx.x * COLUMNS + 4 * quad;
    const int J = OWNER_J, C = OWNER_B;
    const bool owns = OWNS(B);
    const long TB = (long)T * B, at = (long)J * B + C;
    real own_direct = 0, own_dc = 0;
    if (owns) { own_direct = direct[at]; own_dc = dc ? dc[at] : real(0); }

    for (int t = last - 1; t >= first; t--) {
        real k_own[KEPT + 1];
        if (owns) read_kept(f, t, J, C, k_own);
        if (t + 1 < last) wait_for_all(arrived, (last - 1 - t) * gridDim.x * gridDim.y);
        vec4 sum[UNITS] = {};
        if (column < B && t + 1 < T) {
            const real* da_next = da + (long)(t + 1) * B + column;
            #pragma unroll 2
            for (int k = 4 * split; k < K; k += 4 * SPLITS) {
#ifdef GRU
                const int row = k < 2 * H ? k : k + H;  /* below da_r and da_z it is dq that U_n sends back, not da_n */
#else
                const int row = k;
#endif
                vec4 da_k[4];
                for (int i = 0; i < 4; i++) da_k[i] = fresh(da_next + (row + i) * TB);
                for (int m = 0; m < UNITS; m++) {
                    const vec4 u = weights(UT + (long)(j + m) * K + k);
                    for (int i = 0; i < 4; i++)
                        for (int n = 0; n < 4; n++) sum[m].v[n] += u.v[i] * da_k[i].v[n];
                }
            }
        }
        for (int m = 0; m < UNITS; m++) partial[split][m][quad] = sum[m];
        __syncthreads();
        if (owns) {
            real dh = 0;
            for (int p = 0; p < SPLITS; p++)
                dh += partial[p][threadIdx.x / COLUMNS][threadIdx.x % COLUMNS / 4].v[threadIdx.x % 4];
            step_backward(f, t, J, C, k_own, dh, own_direct, own_dc);
        }
    }
    if (owns) { direct[at] = own_direct; if (dc) dc[at] = own_dc; }
}

/* One step, for all units and sequences, when U h_{t-1} (rows, B) is there. */
extern "C" __global__ void __launch_bounds__(THREADS) forward_step(
    const real* uh, const real* b, const real* b_u, const real* wx, real* h, real* c, real* kept,
    const bool* real_steps, int T, int B, int H, int t)
{
    const Forward f = {{T, B, H, real_steps}, b, b_u, wx, h, c, kept};
    const long HB = (long)H * B, at = (long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= HB) return;
    const int J = at / B, C = at % B;
    real a[GATES], own_uh[GATES], own_h = h[t * HB + at], own_c = c ? c[t * HB + at] : real(0);
    read_wx(f, t, J, C, a);
    for (int g = 0; g < GATES; g++) own_uh[g] = uh[g * HB + at];
    step_forward(f, t, J, C, a, own_uh, own_h, own_c);
}

/* One step back, when Uᵀ da (H, B) of step t+1 is there; `sent` gets the da that step t-1 will need it of. */
extern "C" __global__ void __launch_bounds__(THREADS) backward_step(
    const real* dh, const real* d_output, const real* kept, real* da, real* sent, real* direct, real* dc,
    const bool* real_steps, int T, int B, int H, int t)
{
    const Backward f = {{T, B, H, real_steps}, d_output, kept, da, sent, direct, dc};
    const long HB = (long)H * B, at = (long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= HB) return;
    const int J = at / B, C = at % B;
    real k[KEPT + 1], own_direct = direct[at], own_dc = dc ? dc[at] : real(0);
    read_kept(f, t, J, C, k);
    step_backward(f, t, J, C, k, dh ? dh[at] : real(0), own_direct, own_dc);
    direct[at] = own_direct;
    if (dc) dc[at] = own_dc;
}
