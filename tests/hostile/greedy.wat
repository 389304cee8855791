;; A component that Rust cannot be made to be: its one tool grows a table of functions until it is stopped.
;; What the host gets to see is laid out as the canonical ABI has it.
(module
  (memory (export "memory") 1)
  (table $functions 1 funcref)

  ;; list-tools: a list of one tool, at 64.
  (data (i32.const 16) "\40\00\00\00\01\00\00\00")
  ;; Its name, "grow"; all other texts are empty.
  (data (i32.const 64) "\00\01\00\00\04\00\00\00")
  (data (i32.const 256) "grow")
  ;; call-tool: done, with an empty text and "{}".
  (data (i32.const 528) "\00\00\00\00\00\00\00\00\58\02\00\00\02\00\00\00")
  (data (i32.const 600) "{}")

  (func (export "list-tools") (result i32) (i32.const 16))

  (func (export "call-tool") (param i32 i32 i32 i32) (result i32)
    (local $turns i32)
    (block $refused
      (loop $more
        (br_if $refused
          (i32.eq (table.grow $functions (ref.null func) (i32.const 1000)) (i32.const -1)))
        (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $turns) (i32.const 10000)))))
    (i32.const 512))

  (func (export "resume") (param i32 i32) (result i32) (i32.const 512))

  ;; What else there is: at 704 all is zero, which is an empty list, and a call of no tool.
  (func (export "list-resources") (result i32) (i32.const 704))
  (func (export "locate-resource") (param i32 i32) (result i32) (i32.const 704))
  (func (export "list-prompts") (result i32) (i32.const 704))
  (func (export "write-prompt") (param i32 i32 i32 i32) (result i32) (i32.const 704))
  (func (export "completion-source") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 704))
  (func (export "complete") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 704))

  ;; Texts of the host go to the second half of the memory; it never hands over much.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768)))
