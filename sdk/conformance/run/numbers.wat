;; The component that the graphs of this folder run: a few functions on numbers, strings and bytes.
;; `numbers.wasm` is this text, assembled; a test of the repository compares the two.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 16) "an odd number has no half")
    ;; Where the next allocation begins. Nothing is ever freed: an instance lives for one call.
    (global $next (mut i32) (i32.const 1024))

    (func $realloc (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (block $fits
        (loop $more
          (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
          (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
          (unreachable)))
      (memory.copy (local.get $at) (local.get $old) (local.get $old-size))
      (local.get $at))

    (func $alloc (param $size i32) (result i32)
      (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $size)))

    (func (export "add") (param i64 i64) (result i64)
      (i64.add (local.get 0) (local.get 1)))

    (func (export "sum") (param $at i32) (param $len i32) (result i64)
      (local $sum i64)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $len)))
          (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (local.set $len (i32.sub (local.get $len) (i32.const 1)))
          (br $next)))
      (local.get $sum))

    ;; result<s64, string>: 0 and the half at 8, or 1 and a string at 8.
    (func (export "halve") (param $a i64) (result i32)
      (local $out i32)
      (local.set $out (call $alloc (i32.const 16)))
      (if (i64.eqz (i64.and (local.get $a) (i64.const 1)))
        (then (i64.store offset=8 (local.get $out) (i64.shr_s (local.get $a) (i64.const 1))))
        (else
          (i32.store8 (local.get $out) (i32.const 1))
          (i32.store offset=8 (local.get $out) (i32.const 16))
          (i32.store offset=12 (local.get $out) (i32.const 25))))
      (local.get $out))

    ;; Two s64: a tuple and a record look the same in memory.
    (func (export "both") (param $a i64) (param $b i64) (result i32)
      (local $out i32)
      (local.set $out (call $alloc (i32.const 16)))
      (i64.store (local.get $out) (local.get $a))
      (i64.store offset=8 (local.get $out) (local.get $b))
      (local.get $out))

    (func (export "repeat") (param $at i32) (param $len i32) (param $times i32) (result i32)
      (local $out i32) (local $text i32) (local $end i32)
      (local.set $out (call $alloc (i32.const 8)))
      (local.set $text (call $alloc (i32.mul (local.get $len) (local.get $times))))
      (local.set $end (local.get $text))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $times)))
          (memory.copy (local.get $end) (local.get $at) (local.get $len))
          (local.set $end (i32.add (local.get $end) (local.get $len)))
          (local.set $times (i32.sub (local.get $times) (i32.const 1)))
          (br $next)))
      (i32.store (local.get $out) (local.get $text))
      (i32.store offset=4 (local.get $out) (i32.sub (local.get $end) (local.get $text)))
      (local.get $out))

    (func (export "count") (param $at i32) (param $len i32) (result i32) (local.get $len))

    (func (export "stop") (unreachable)))

  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))

  (type $span-type (record (field "low" s64) (field "high" s64)))
  (export $span "span" (type $span-type))

  (func (export "add") (param "a" s64) (param "b" s64) (result s64)
    (canon lift (core func $i "add")))
  (func (export "sum") (param "xs" (list s64)) (result s64)
    (canon lift (core func $i "sum") (memory $memory) (realloc $realloc)))
  (func (export "halve") (param "a" s64) (result (result s64 (error string)))
    (canon lift (core func $i "halve") (memory $memory) (realloc $realloc)))
  (func (export "pair") (param "a" s64) (param "b" s64) (result (tuple s64 s64))
    (canon lift (core func $i "both") (memory $memory) (realloc $realloc)))
  (func (export "make-span") (param "low" s64) (param "high" s64) (result $span)
    (canon lift (core func $i "both") (memory $memory) (realloc $realloc)))
  (func (export "repeat") (param "text" string) (param "times" u32) (result string)
    (canon lift (core func $i "repeat") (memory $memory) (realloc $realloc)))
  (func (export "count") (param "bytes" (list u8)) (result u32)
    (canon lift (core func $i "count") (memory $memory) (realloc $realloc)))
  ;; Always traps.
  (func (export "stop") (canon lift (core func $i "stop"))))
