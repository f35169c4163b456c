// The front end: walks neutral bytecode with abstract values and writes the SSA graph.
//
// Fed by cpython/decode (bytecode and profile) and by live example objects; needs the GIL. It never
// runs Python code: attributes and items are looked at only where that has no side effect.
//
// One pass over the bytecode in its own order, which is a topological order: only LoopBack jumps
// backwards. A loop head assumes what the entry brings for everything the loop does not store; when
// a back edge contradicts that, the contradiction is noted in HeadMemory and the whole graph is
// built again. Notes only accumulate, so this ends.
//
// Ownership: the activation owns one reference per owned value while a slot names it (ir/graph.h).
// Lowering code pops values, emits, pushes results and hands what it popped to drop(); the releases
// are written at the end of the raw instruction, in the interpreter's order.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>

#include "frontend/abstract.h"
#include "support/mutants.h"

namespace psyco {

namespace shapes {
struct AttrPlan;
}

// A fact about the running program that compiled code relies on.
struct Assumption {
  enum Kind : uint8_t {
    DictValue,
    Type,
    Function,
    Object,   // stays what it is: its class, and what a property, static or class method wraps
    Classes,  // no object's class is assigned while the code runs
  } kind;
  PyObject* object;  // dict, type, function or any other; null: Classes
  PyObject* key;     // DictValue: the name
};

// What earlier versions of the same code taught, per raw instruction. Kept by the driver.
struct Feedback {
  struct Site {
    bool big_int = false;  // an integer left 64 bits here
    bool generic = false;  // speculation failed too often: use the general helper
    bool reached = false;  // code that had never run was needed
    // An attribute's helper has told of the classes it met: the objects are told apart by them, if
    // they are not too many. `other`: some may be of other classes still.
    bool met = false, other = false;
    uint8_t gain = 0;    // of telling them apart: 0 none, 1 little
    uint8_t tables = 0;  // of the module's names, that this site has seen the end of
    bool noted = false;  // Op::NoteTypes has told of the operands; not asked again
    static constexpr int kOperands = 4, kMet = 8;
    // Of the operands, when they were last known; then the classes met. Owned.
    PyTypeObject* types[kOperands + kMet] = {};
    // Functions that a call has met. Borrowed: see FeedbackSource::is_alive.
    static constexpr int kFunctions = 4;
    PyFunctionObject* functions[kFunctions] = {};
  };
  std::map<int, Site> sites;  // by bci
};

struct CompileRequest {
  PyCodeObject* code = nullptr;
  PyFunctionObject* function = nullptr;  // may be null (Osr of module code)
  PyObject* globals = nullptr;
  PyObject* builtins = nullptr;
  ir::EntryKind kind = ir::EntryKind::Call;
  int osr_index = 0;                    // Osr: index of the loop head
  PyObject* const* examples = nullptr;  // one per entry value, null = unbound
  int example_count = 0;                // Call: parameters; Osr: locals and stack
  std::vector<bool> any_type;           // parameters or locals that come with many types; or empty
  PyObject* locals = nullptr;           // Osr of module code: f_locals
  class FeedbackSource* feedback = nullptr;
  PyObject* exhausted = nullptr;  // what iter_next answers at the end
  size_t attr_cache_size = 0, global_cache_size = 0, operand_cache_size = 0;
  uint8_t own_dict_watcher = 0;  // bit of shapes::kDictWatchers
};

struct LinkCell;

class FeedbackSource {
 public:
  virtual ~FeedbackSource() = default;
  virtual Feedback* for_code(PyCodeObject* code) = 0;
  virtual bool may_inline(PyFunctionObject* function) = 0;
  // Whether a function of Site::functions is still there, or one that was met later in its place.
  virtual bool is_alive(PyFunctionObject* function) = 0;
  // A global that keeps changing: to be read at run time.
  virtual bool is_variable(PyObject* dict, PyObject* key) = 0;
  // It is one from now on: code that stores it tells nobody.
  virtual void make_variable(PyObject* dict, PyObject* key) = 0;
  // The cell for calls of the function with such arguments (LinkCell::signature); lives as long as
  // its code. Null: not to be called directly.
  virtual LinkCell* native_cell(PyFunctionObject* function, const std::string& signature) = 0;
  // Takes a reference that is no longer wanted: while a graph is built nothing may run.
  virtual void release_later(PyObject* object) = 0;
};

struct InlineNote {
  int line;            // of the call,
  std::string caller;  // in this function
  std::string name;
  const char* why;  // null: inlined
};

// Memory of a site of the code: caches.h. From Arithmetic on it is an OperandCache, and what the
// operands are for.
enum class SiteKind : uint8_t {
  Global,
  Attribute,
  Arithmetic,
  Comparison,
  Subscript,
  Truth,
  Iterable,
  Unpacked,
  Callee
};
struct SiteCache {
  std::unique_ptr<char[]> memory;
  SiteKind kind;
  PyCodeObject* code;  // borrowed: one the build walked
  int bci;
};

struct BuildResult {
  bool ok = false;
  ir::Reason reason = ir::Reason::None;
  std::vector<Assumption> assumptions;
  std::vector<PyObject*> objects;  // every object the graph embeds (borrowed here)
  std::vector<std::unique_ptr<DecodedCode>> codes;
  std::vector<InlineNote> inlined;
  std::vector<SiteCache> caches;
  int walked = 0, rebuilds = 0;
  // Osr, by local: it is not read before it is written, so nothing is assumed of its entry value.
  std::vector<uint8_t> any_entry;
  int int_returns = 0, float_returns = 0;  // returns of an unboxed number
  bool calls_itself = false;               // by Op::CallNative, with its own signature
  char result_kind() const { return int_returns ? 'i' : float_returns ? 'd' : 'o'; }
};

// Fills `graph`; called again with a fresh graph by build_graph until the loop heads agree.
BuildResult build_graph(const CompileRequest& request, std::unique_ptr<ir::Graph>& graph);

// Whether the identity of a local's object can matter: it is only calculated with; also looked up,
// where a NaN is found by identity; or it goes where `is` may see it.
enum class Use : uint8_t { Value, Key, Object };
std::vector<Use> local_uses(const DecodedCode& decoded, int locals);

// Whether there is anything better than the general case for operands of these types. They are
// compared only.
bool has_fast_case(SiteKind kind, const void* left, const void* right);

// One function body being walked.
struct Context {
  DecodedCode* decoded;
  PyCodeObject* code;
  PyFunctionObject* function;  // known function, or null
  ir::Value* function_value;   // null: the outermost
  bool any_function = false;   // inlined for every function object of the code
  bool owns_function = false;  // and with the only reference to this one
  int operands = 0;            // see Inlining
  bool operands_die_top_first = false;
  PyObject* globals;
  PyObject* builtins;
  ir::FrameInfo* info;
  Context* caller;
  Feedback* feedback;
  int peeling = -1;                 // head whose first iteration is being walked
  bool warm = false;                // has run long enough for cold caches to mean something
  bool globals_are_locals = false;  // module code
  bool has_class_cell = false;      // __class__ is a free variable
  bool has_hidden_locals = false;   // module code with variables of comprehensions
  uint64_t path;                    // identifies the chain of call sites
  int depth;
  std::vector<std::vector<Edge>> pending;  // by bytecode index
  std::vector<Edge> returns;
  std::vector<uint8_t> reachable;  // by bytecode index, without exception edges
  std::vector<int> loop_end;       // by head index: index of the last LoopBack to it, -1 none
  std::vector<Use> uses;           // by local: what is done with it anywhere in the code
  std::vector<uint64_t> live;      // by index: bits of the locals that are live there (lazily)
  size_t live_words = 0;           // of each
  ir::SlotList last_locals, last_stack;  // of the last frame state that was made
  // What its locals were made of, where there are many.
  std::vector<AVId> last_ids;
  AVTable last_avs;
};

// Path, head index, slot number; of the field of a virtual object, its number too: see
// loop_heads.cpp.
using HeadKey = std::tuple<uint64_t, int, int64_t>;
using HeadMemory = std::map<HeadKey, HeadFlags>;
constexpr int kPeelSlot =
    -1;  // HeadKey's slot for: walk the first iteration apart (HeadFlags::phi)

// Slot number, for HeadFlags::number: so often the loop was walked again.
constexpr int kWalksSlot = -2;

class Builder {
 public:
  // own_result: what calls of the function being compiled are expected to give (i, d, o).
  Builder(const CompileRequest& request, ir::Graph& graph, HeadMemory& heads, BuildResult& result,
          char own_result);
  void build();
  bool restart() const { return restart_; }
  // The graph would take too much memory and time. The walk has ended early.
  bool too_large() const { return captured_ > kMostCaptured || graph_.arena.used() > kMostMemory; }

  // ---- current position
  ir::Graph& graph() { return graph_; }
  const CompileRequest& request() const { return request_; }
  bool dead() const { return cur_ == nullptr; }
  State& state() { return st_; }
  Context& context() { return *st_.top().context; }
  const AV& av(AVId id) const { return st_.avs[id]; }
  AV& edit(AVId id) { return st_.avs.edit(id); }
  const Bytecode& bc() const { return *bc_; }
  Feedback::Site& site() { return context().feedback->sites[bc_->bci]; }

  // ---- stack
  void push(AVId id) { st_.top().stack.push_back(id); }
  AVId pop();
  AVId peek(int depth = 1) { return st_.top().stack[st_.top().stack.size() - depth]; }
  void drop(AVId id) {  // release at the end of the raw instruction
    drops_.insert(operands_die_top_first() ? drops_.begin() : drops_.end(), id);
  }
  void undrop(AVId id);
  // The instruction before has put a variable's value on the stack without a reference of its own.
  bool argument_is_borrowed() const { return bc_[-1].op == NeutralOp::LoadLocal && bc_[-1].arg2; }

  // ---- values
  AVId null_av();
  AVId object_av(ir::Value* value, PyTypeObject* type = nullptr, PyTypeObject* likely = nullptr,
                 PyObject* example = nullptr);
  AVId int_av(ir::Value* value, bool nonnegative = false);
  AVId float_av(ir::Value* value);
  AVId bool_av(ir::Value* value);
  AVId const_av(PyObject* object);
  AVId virtual_av(ir::VirtualKind kind, const std::vector<AVId>& fields);
  void set_field(AV& av, size_t k, AVId id);
  void set_fields(AV& av, const std::function<AVId(size_t)>& field);
  ir::Value* const_object(const void* object);
  ir::Value* const_null();
  ir::Value* const_unbound();  // ir::kUnbound
  ir::Value* const_int(int64_t value);
  ir::Value* const_float(double value);
  ir::Value* const_bool(bool value);
  ir::Value* const_ptr(const void* address);

  // ---- emission
  using Site = mutants::Site;
  ir::Value* emit(ir::Op op, ir::Rep rep, std::initializer_list<ir::Value*> inputs,
                  ir::FrameState* state = nullptr, Site site = Site::here());
  ir::Value* emit(ir::Op op, std::initializer_list<ir::Value*> inputs,
                  ir::FrameState* state = nullptr, Site site = Site::here());
  ir::Value* load(ir::Op op, ir::Value* base, int64_t offset, ir::Heap heap,
                  ir::Value* index = nullptr);
  // The activation owns the reference of this value while a state names it.
  void mark_owned(ir::Value* value, Site site = Site::here());
  ir::Value* load_owned(ir::Value* base, int64_t offset, ir::Heap heap, ir::Value* index = nullptr);
  ir::Value* call_helper(ir::Helper helper, const std::vector<ir::Value*>& inputs,
                         int64_t number = 0, bool has_number = false, const void* cache = nullptr,
                         int out_words = 0, AVId given = kNoAV);  // given: to a parameter 's'
  ir::Value* take_out(ir::Value* call, int word, bool nullable = false);  // result in the out area
  const void* site_cache(size_t size, SiteKind kind);  // zeroed, lives as long as the code
  // Where a type is not known: has the types observed while the code runs. Before the general case.
  void note_types(SiteKind kind, AVId left, AVId right);
  // The same for what is called, if it is not known.
  void note_callee(AVId callable);
  ir::Value* frame_locals();  // f_locals of module code, or the null object
  bool may_store_in_place(AVId value, PyTypeObject* old_type);
  bool store_number_in_place(AVId value, PyTypeObject* old_type, ir::Heap heap, ir::Value* base,
                             int64_t offset, ir::Value* index);
  void ran_python() { python_ran_ = true; }
  ir::Value* guard(ir::Op op, ir::Value* input, ir::Reason reason, const void* ptr = nullptr,
                   Site site = Site::here());
  void deopt(ir::Reason reason);  // leaves for good at this bytecode

  // ---- frame states
  // Start of this raw instruction; the slots of `gone` are empty.
  ir::FrameState* before(AVId gone = kNoAV);
  ir::FrameState* capture(int bci);  // the current slots, continuing at bci
  ir::FrameState* after(int bci);    // the same, behind what this raw instruction does

  // ---- levels
  ir::Value* force(AVId id);              // run-time object; the AV keeps its reference
  AVId new_instance(PyTypeObject* type);  // nothing set yet; virtual if it may be
  // Of a virtual instance. The value stays the caller's to drop. False: it must be built first.
  bool store_virtual(AVId id, PyObject* name, AVId value);
  std::vector<AVId> dying_attributes(AVId id);
  bool known_int(AVId id);  // Int, Bool or proved int object
  bool known_float(AVId id);
  void check_bound(AVId id);
  PyTypeObject* type_of(AVId id);      // proved type or null
  PyTypeObject* likely_type(AVId id);  // proved, predicted or by example
  // Operand number `operand` of this instruction: remembers its likely type, or recalls it from an
  // earlier version that saw live objects here.
  void learn(AVId id, int operand);
  void learn_type(PyTypeObject* type, int operand);
  PyTypeObject* learnt(int operand) { return site().types[operand]; }
  void suggest_type(AVId id, PyTypeObject* type);  // a prediction, if there is none yet
  void prove_type(AVId id, PyTypeObject* type);    // it has been tested
  void know_class(PyTypeObject* type);             // some object is proved to be of it
  bool guard_type(AVId id, PyTypeObject* type);    // proves it; false if it cannot be
  ir::Value* to_int(AVId id);                      // int64 of an int or bool; guards
  ir::Value* to_float(AVId id);                    // double of a float (guards) or int
  ir::Value* truth(AVId id);                  // Bool value, or null when only a helper can tell
  void consume(AVId id, ir::Value*& object);  // an owned reference to store away
  bool held(AVId id);                         // some slot still names it
  bool held_by_callers(AVId id);              // of the frames this one is inlined into
  bool reaches_value(AVId slot, AVId id);     // it is the value, or a virtual object made of it
  bool held_live(AVId id);                    // the same, counting locals only if still read
  int names_of(const ir::Value* object);      // slots of all frames that hold this object
  bool is_live_after(int local);

  // ---- assumptions
  void assume(Assumption::Kind kind, PyObject* object, PyObject* key = nullptr,
              Site site = Site::here());
  void assume_attribute(PyTypeObject* type, const shapes::AttrPlan& plan);
  void keep(PyObject* object);

  // ---- control
  void jump_to(int index);
  void branch(ir::Value* condition, int true_index, int false_index);
  void return_value(AVId id);
  void back_edge(int index);
  bool returns_number(AVId id);
  const std::string& own_signature() const { return own_signature_; }
  bool native_call(PyFunctionObject* function, const std::vector<AVId>& args,
                   const std::vector<AVId>& dropped);
  bool is_kept_as_object(AVId id);
  void share_numbers(PyCodeObject* code, const std::vector<AVId>& args);
  const std::vector<Use>& uses_of(PyCodeObject* code);
  int recursive_inlining(PyCodeObject* code);
  bool keyword_only_defaults(PyFunctionObject* function, bool any_function,
                             std::vector<AVId>& values);
  bool refuse_inlining(PyFunctionObject* function, const char* why);  // false
  struct Inlining {
    PyTypeObject* made = nullptr;  // it is the __init__ of this class: the call makes an instance
    bool any_function = false;     // others of the same code and globals will do as well
    // Drop, Operator: so many operands of the instruction are left on the stack.
    ir::Continuation cont = ir::Continuation::Push;
    int operands = 0;
    std::vector<AVId> keyword_only = {};  // those parameters; kNoAV or missing: the default
    AVId gone = kNoAV;  // the dictionary of keywords, empty: it dies before the body runs
  };
  bool inline_call(PyFunctionObject* function, std::vector<AVId> args, AVId callable,
                   const Inlining& how);
  void enter(Edge& edge) { cur_ = edge.block, st_ = std::move(edge.state); }
  void choose(ir::Value* condition, AVId if_true,
              AVId if_false);  // pushes one of two popped values, drops both
  // The same with code on each way, at the end of this instruction.
  void choose(ir::Value* condition, const std::function<AVId()>& if_true,
              const std::function<AVId()>& if_false);
  PyObject* small_int(int value) { return PyLong_FromLong(value); }  // immortal
  // One way for each condition, and a last one if none holds; each ends this instruction, and all
  // push as many values. Conditions are made in turn, each where those before it failed.
  struct Way {
    std::function<ir::Value*()> condition;
    std::function<void()> code;
  };
  void switch_on(const std::vector<Way>& ways);
  void split(ir::Value* condition, Edge* if_true, Edge* if_false);
  void merge_here(std::vector<Edge>& edges, int bci);  // continue after edges meet again
  void split_unbound(std::vector<Edge>& edges, const std::vector<Use>& uses);

  void emit_release(ir::Value* object, ir::FrameState* state);
  void release_av(AVId id, ir::FrameState* state);
  // Finalisers see the top frame at shown_bci (-1: this instruction), or not at all.
  static constexpr int kFrameGone = -2;
  void flush_drops(int next_bci, int shown_bci = -1);
  // Behind the store that is the first half of a superinstruction: what it replaced goes before the
  // second half is done, and finalisers see that.
  void begin_second_half();

 private:
  friend class Merger;
  ir::Value* build_instance(AVId id, const std::vector<ir::Value*>& inputs);
  Context* new_context(PyCodeObject* code, PyFunctionObject* function, PyObject* globals,
                       PyObject* builtins, Context* caller, int call_bci);
  void analyze_code(Context& context);
  void walk_function(Context& context, int start, std::vector<Edge> entry);
  void walk_range(Context& context, int start, int end);
  void lower(const Bytecode& bc);
  bool never_ran(Context& context, int index);
  bool may_peel(Context& context, int index);
  bool wants_peeling(Context& context, int index);
  void begin_raw();
  void loop_head(Context& context, int index, std::vector<Edge>& edges);
  bool may_open(Context& context, int index, const AV& a);
  void unpack_cursors(const std::vector<AVId>& stack);
  bool any_entry_value(Context& context, int local);
  bool is_any_type(int entry_value) const;
  void type_entry_value(AVId id, PyObject* example);
  ir::Value* new_constant(ir::Op op, ir::Rep rep);
  template <class Map, class Key>
  ir::Value* cached_constant(Map& map, Key key, ir::Op op, ir::Rep rep);
  void place_constants();
  using Virtuals = std::map<AVId, ir::Virtual*>;  // of one state, all its frames
  ir::Slot slot_of(AVId id, Virtuals& virtuals);
  void fill_state(ir::FrameState* fs, const FrameSlots& frame, const std::vector<AVId>& locals,
                  const std::vector<AVId>& stack, Virtuals& virtuals);
  void fill_locals(ir::SlotList& list, Context& context, const std::vector<AVId>& ids,
                   Virtuals& virtuals);
  void add_pending_drops(ir::FrameState* fs, const std::vector<AVId>& locals,
                         const std::vector<AVId>& stack);
  ir::FrameState* chain(size_t count, Virtuals& virtuals);
  void predict_variable(Context& context, int index, size_t base);
  void find_live(Context& context);
  bool is_live(Context& context, int index, int local);
  std::vector<uint8_t> live_slots(const State& state, int bci);
  std::vector<Use> uses_from(const State& state, int bci);

  struct Head {
    Context* context;
    int index;
    ir::Block* block;
    State state;                  // at the head, phis made
    std::vector<uint8_t> is_phi;  // by slot number, those of opened virtual objects behind
    std::vector<int64_t> keys;    // as in HeadKey, likewise
    std::vector<size_t> opened;   // numbers of the virtual objects that go round
  };

  // Slots of frame states, shared or not: each costs time in all that comes behind.
  static constexpr size_t kMostCaptured = 8'000'000, kMostMemory = size_t{40} << 20;

  const CompileRequest& request_;
  ir::Graph& graph_;
  const char own_result_;
  std::string own_signature_;
  HeadMemory& heads_memory_;
  BuildResult& result_;
  ir::Block* cur_ = nullptr;
  ir::Block* entry_ = nullptr;
  State st_;
  const Bytecode* bc_ = nullptr;
  int raw_bci_ = 0, raw_next_ = 0;
  std::map<PyCodeObject*, std::vector<Use>> uses_;  // of the locals of code called natively
  int edge_bci_ = -1;                               // >= 0: states continue there (merges on edges)
  std::vector<AVId> before_locals_, before_stack_;
  bool half_ = false;  // between the halves of an instruction: see begin_second_half
  // Instructions drop their operands from the deepest up, or from the top down: a version's custom.
  bool operands_die_top_first() const {
    return Port::kOperandsDieTopFirst && !(Port::kBinaryDropsLeftFirst && bc_ &&
                                           bc_->op == NeutralOp::Binary && bc_->first_of_raw);
  }
  std::vector<AVId> drops_;  // in the order in which they die
  int shown_bci_ = -1;       // of flush_drops
  bool python_ran_ = false;
  bool restart_ = false;
  std::vector<std::unique_ptr<Context>> contexts_;
  std::vector<Head> active_heads_;
  std::map<const void*, ir::Value*> const_objects_;
  std::map<int64_t, ir::Value*> const_ints_;
  std::map<uint64_t, ir::Value*> const_floats_;
  std::map<const void*, ir::Value*> const_ptrs_;
  std::unordered_set<PyObject*> kept_;                       // result_.objects
  std::set<std::tuple<int, PyObject*, PyObject*>> assumed_;  // result_.assumptions
  std::vector<ir::Value*> constants_;                        // all of them, as they were made
  ir::Value* const_null_ = nullptr;
  ir::Value* const_unbound_ = nullptr;
  ir::Value* const_bools_[2] = {};
  std::vector<int> caller_next_bci_;  // of the calls being inlined
  std::vector<ir::Slot> slots_;       // of fill_state
  size_t captured_ = 0;               // slots of all states
};

// lower/<family>.cpp: one function for each neutral instruction.
#define NEUTRAL(name, pops, pushes, flags, text) void lower_##name(Builder& f, const Bytecode& bc);
#include "cpython/neutral.def"
#undef NEUTRAL
// Tells the driver which names the code of a context changes, before it is walked.
void expect_stores(const CompileRequest& request, const Context& context);

}  // namespace psyco
