// TRY and TRY_ASSIGN (protocol/error.h) inside a coroutine, where leaving early is `co_return`.
#pragma once

#include "protocol/error.h"

// g++ 12 bite: `expr` must not hold `co_await`; await first, into a name.
#define CO_TRY(expr)                                                              \
  do {                                                                            \
    auto try_result_ = (expr);                                                    \
    if (!try_result_) co_return ::tidemark::fail(std::move(try_result_).error()); \
  } while (false)
#define CO_TRY_ASSIGN(decl, expr) TIDEMARK_CO_TRY_ASSIGN_(TIDEMARK_CONCAT(try_result_, __LINE__), decl, expr)
#define TIDEMARK_CO_TRY_ASSIGN_(tmp, decl, expr)                \
  auto tmp = (expr);                                            \
  if (!tmp) co_return ::tidemark::fail(std::move(tmp).error()); \
  decl = std::move(*tmp)
