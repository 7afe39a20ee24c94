// Task<T>: a lazy coroutine of one shard. Awaiting it starts it and resumes the awaiter with its value when
// it ends. TaskScope owns the tasks that nobody awaits; destroying the scope destroys their suspended frames
// at once, in the reverse order of their start, which is how a node stops and how the simulator crashes one.
// OneShot, Signal and sleep are the only things that a task waits for; each takes itself off its queue when
// its frame is destroyed, and each wakes through Scheduler::post, so nothing is resumed inside the call that
// wakes it.
//
// Why not asio::awaitable: a destroyed awaitable posts its destruction to the executor, costs five seconds of
// compilation a file, and would put Asio into every shell. This is all of it that we use.
// g++ 12 miscompiles some coroutine expressions: no capturing lambda, conditional or temporary with a
// destructor in an expression with `co_await`: name it first.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "protocol/invariant.h"
#include "protocol/runtime/scheduler.h"

namespace tidemark::runtime {

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) noexcept {
      return h.promise().continuation;
    }
    void await_resume() noexcept {}
  };
  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
};
template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using value_type = T;
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().continuation = awaiter;
    return handle_;
  }
  T await_resume() {
    if (handle_.promise().exception) std::rethrow_exception(handle_.promise().exception);
    if constexpr (!std::is_void_v<T>) return std::move(*handle_.promise().value);
  }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// A doubly linked ring node: what waits unlinks itself when it goes.
struct Link {
  Link* prev = this;
  Link* next = this;
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }
  [[nodiscard]] bool linked() const { return next != this; }
  void unlink() {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }
  void insert_before(Link& at) {
    prev = at.prev;
    next = &at;
    at.prev->next = this;
    at.prev = this;
  }
};
}  // namespace detail

// Owns running tasks. Not movable; lives on one shard and is destroyed after the shard's loop has stopped
// (or, in the simulator, on it).
class TaskScope {
 public:
  TaskScope() = default;
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope() { destroy_all(); }

  // Starts `task` now, up to its first suspension; the scope owns it until it ends. An exception out of a
  // root task is a bug of ours and ends the process.
  void spawn(Task<void> task) {
    Root root = run(std::move(task));
    Root::promise_type& promise = root.handle.promise();
    promise.link.insert_before(roots_);
    ++size_;
    promise.scope = this;
    root.handle.resume();
  }
  [[nodiscard]] size_t size() const { return size_; }
  void destroy_all() {
    while (roots_.linked()) {
      auto* link = static_cast<RootLink*>(roots_.prev);
      link->unlink();
      --size_;
      link->handle.destroy();
    }
  }

 private:
  struct RootLink : detail::Link {
    std::coroutine_handle<> handle;
  };
  struct Root {
    struct promise_type {
      RootLink link;
      TaskScope* scope = nullptr;
      Root get_return_object() {
        auto h = std::coroutine_handle<promise_type>::from_promise(*this);
        link.handle = h;
        return Root{h};
      }
      std::suspend_always initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept {
        if (link.linked()) {
          link.unlink();
          --scope->size_;
        }
        return {};
      }
      void return_void() {}
      void unhandled_exception() { throw; }
    };
    std::coroutine_handle<promise_type> handle;
  };
  static Root run(Task<void> task) { co_await task; }

  detail::Link roots_;
  size_t size_ = 0;
};

// A value that is set once, by somebody else on the same loop. The resolver may outlive the waiter.
template <class T>
class OneShot {
  struct State {
    explicit State(Scheduler& s) : scheduler(&s) {}
    Scheduler* scheduler;
    std::optional<T> value;
    std::coroutine_handle<> waiter;
  };

 public:
  explicit OneShot(Scheduler& scheduler) : state_(std::make_shared<State>(scheduler)) {}
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;
  ~OneShot() { state_->waiter = nullptr; }

  class Resolver {
   public:
    // Later values are ignored. Own loop only.
    void set(T value) {
      if (state_->value) return;
      state_->value.emplace(std::move(value));
      if (state_->waiter) {
        state_->scheduler->post([state = state_] {
          if (auto waiter = std::exchange(state->waiter, nullptr)) waiter.resume();
        });
      }
    }
    [[nodiscard]] bool is_set() const { return state_->value.has_value(); }

   private:
    friend class OneShot;
    explicit Resolver(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };

  [[nodiscard]] Resolver resolver() const { return Resolver(state_); }

  struct Awaiter {
    State* state;
    bool await_ready() const noexcept { return state->value.has_value(); }
    void await_suspend(std::coroutine_handle<> h) noexcept { state->waiter = h; }
    T await_resume() { return std::move(*state->value); }
  };
  // Awaited at most once.
  [[nodiscard]] Awaiter wait() { return Awaiter{state_.get()}; }

 private:
  std::shared_ptr<State> state_;
};

// Waiters of one loop that are woken together: "something changed, look again".
class Signal {
 public:
  explicit Signal(Scheduler& scheduler) : scheduler_(&scheduler) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notify_all() {
    while (waiters_.linked()) {
      auto* awaiter = static_cast<Awaiter*>(waiters_.next);
      awaiter->unlink();
      awaiter->wake(true);
    }
  }
  [[nodiscard]] bool has_waiters() const { return waiters_.linked(); }

  class Awaiter : detail::Link {
   public:
    Awaiter(Signal& signal, MonoTime deadline)
        : signal_(signal), scheduler_(*signal.scheduler_), deadline_(deadline) {}
    ~Awaiter() {
      scheduler_.cancel(timer_);
      if (alive_) *alive_ = nullptr;
    }
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) {
      handle_ = h;
      insert_before(signal_.waiters_);
      if (deadline_ != kNever) {
        timer_ = scheduler_.at(deadline_, [this] {
          timer_ = {};
          unlink();
          wake(false);
        });
      }
    }
    // True if notified, false if the deadline passed first.
    bool await_resume() noexcept { return notified_; }

   private:
    friend class Signal;
    void wake(bool notified) {
      notified_ = notified;
      scheduler_.cancel(timer_);
      timer_ = {};
      alive_ = std::make_shared<Awaiter*>(this);
      scheduler_.post([alive = alive_] {
        if (*alive) (*alive)->handle_.resume();
      });
    }
    Signal& signal_;  // only until the wait begins: the awaiter may outlive it
    Scheduler& scheduler_;
    MonoTime deadline_;
    TimerId timer_;
    std::coroutine_handle<> handle_;
    std::shared_ptr<Awaiter*> alive_;
    bool notified_ = false;
  };

  [[nodiscard]] Awaiter wait() { return Awaiter(*this, kNever); }
  [[nodiscard]] Awaiter wait_until(MonoTime deadline) { return Awaiter(*this, deadline); }

 private:
  Scheduler* scheduler_;
  detail::Link waiters_;
};

inline Task<void> sleep_until(Scheduler& scheduler, MonoTime when) {
  Signal never(scheduler);
  co_await never.wait_until(when);
}
inline Task<void> sleep_for(Scheduler& scheduler, Duration delay) {
  return sleep_until(scheduler, scheduler.mono() + delay);
}

// Lets the loop's other work run: between the parts of what takes long (Scheduler::in_turn).
inline Task<void> let_others_run(Scheduler& loop) {
  OneShot<bool> turn(loop);
  loop.in_turn([resolver = turn.resolver()]() mutable { resolver.set(true); });
  auto mine = turn.wait();
  co_await mine;
}

// Runs `make()` (a Task<T>) on `target`, owned by `scope` (target's), and returns its value on `home`. It
// runs to its end even if the caller's frame is destroyed meanwhile, so `make` must own what it needs. For
// the caller's own loop it starts at once, and posts nothing where it need not wait.
template <class Make, class Value = typename std::invoke_result_t<Make&>::value_type>
Task<Value> run_on(Scheduler& target, TaskScope& scope, Scheduler& home, Make make) {
  static_assert(!std::is_void_v<Value>, "give run_on a task that returns a value");
  using Resolver = typename OneShot<Value>::Resolver;
  auto body = [](Make made, Scheduler* back, Resolver resolver) -> Task<void> {
    auto task = made();
    auto value = co_await task;
    if (back == nullptr) {
      resolver.set(std::move(value));
    } else {
      back->post([resolver, value = std::move(value)]() mutable { resolver.set(std::move(value)); });
    }
  };
  OneShot<Value> done(home);
  if (&target == &home) {
    scope.spawn(body(std::move(make), nullptr, done.resolver()));
  } else {
    target.post([&scope, &home, body, resolver = done.resolver(), m = std::move(make)]() mutable {
      scope.spawn(body(std::move(m), &home, std::move(resolver)));
    });
  }
  auto awaiter = done.wait();
  auto value = co_await awaiter;
  co_return value;
}

}  // namespace tidemark::runtime
