// What all hours of the flights demo have together: the C step.
//
// The canonical ABI is written by hand, which for one function is shorter than generated bindings.
// `wasm-tasks componentize` makes a component of the module and wit/examples (world `stats`).

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define DESCRIBE "wasm-tasks:examples/flights-stats@0.1.0#describe"

// record hour-sum { hour: u32, flights: u64, delay: s64 }
typedef struct {
  uint32_t hour;
  uint64_t flights;
  int64_t delay;
} hour_sum;
_Static_assert(sizeof(hour_sum) == 24, "the layout of the canonical ABI");

// record summary { flights: u64, mean: f64, best-hour: u32, worst-hour: u32 }
typedef struct {
  uint64_t flights;
  double mean;
  uint32_t best_hour;
  uint32_t worst_hour;
} summary;

typedef struct {
  const char *bytes;
  size_t len;
} string;

// result<summary, string>
typedef struct {
  uint8_t is_err;
  union {
    summary ok;
    string err;
  };
} result;
_Static_assert(offsetof(result, ok) == 8 && sizeof(result) == 32, "the layout of the canonical ABI");

// The host allocates the memory of arguments with this.
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old_size;
  if (size == 0) return (void *)align;
  void *memory = realloc(old, size);
  if (!memory) abort();
  return memory;
}

static double mean(const hour_sum *sum) { return (double)sum->delay / (double)sum->flights; }

static result answer;

static result *refuse(const char *bytes, size_t len) {
  answer.is_err = 1;
  answer.err = (string){bytes, len};
  return &answer;
}
#define REFUSE(text) refuse(text, sizeof(text) - 1)

EXPORT(DESCRIBE)
result *describe(hour_sum *sums, size_t len) {
  if (len == 0) return REFUSE("there is no hour");
  uint64_t flights = 0;
  int64_t delay = 0;
  size_t best = 0, worst = 0;
  for (size_t i = 0; i < len; i++) {
    if (sums[i].flights == 0) return REFUSE("there is an hour without flights");
    flights += sums[i].flights;
    delay += sums[i].delay;
    if (mean(&sums[i]) < mean(&sums[best])) best = i;
    if (mean(&sums[i]) > mean(&sums[worst])) worst = i;
  }
  answer.is_err = 0;
  answer.ok = (summary){flights, (double)delay / (double)flights, sums[best].hour, sums[worst].hour};
  free(sums);
  return &answer;
}
