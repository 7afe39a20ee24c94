#include "client/runtime/interrupt.h"

#include <csignal>

namespace tidemark::client {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void remember(int) { interrupted = 1; }

void install(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = handler == SIG_DFL ? 0 : static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  interrupted = 0;
  install(remember);
}

Interrupt::~Interrupt() { install(SIG_DFL); }

bool Interrupt::came() const { return interrupted != 0; }

}  // namespace tidemark::client
