// `tidemark quota`: list, describe, set, delete.
#include "client/cli/quota_entity.h"
#include "client/cli/session.h"
#include "client/core/co_try.h"

namespace tidemark::cli {
namespace {

using runtime::Task;
using Quotas = std::vector<client::EntityQuotas>;

Task<Result<int>> list(Session& session, const QuotaList& command) {
  client::QuotaChoice choice;
  if (!command.type.empty()) choice.type = command.type;
  auto asking = session.admin.describe_quotas(choice);
  const Result<Quotas> quotas = co_await asking;
  if (!quotas) co_return fail(Error(quotas.error()));
  session.out.data(quotas_value(*quotas), quotas_rows(*quotas));
  co_return kDone;
}

Task<Result<int>> describe(Session& session, const QuotaDescribe& command) {
  client::QuotaChoice choice;
  CO_TRY_ASSIGN(choice.only, quota_entity(command.who));
  auto asking = session.admin.describe_quotas(choice);
  const Result<Quotas> quotas = co_await asking;
  if (!quotas) co_return fail(Error(quotas.error()));
  session.out.data(quotas_value(*quotas), quotas_rows(*quotas));
  co_return kDone;
}

// Makes the changes, and prints them.
Task<Result<int>> change(Session& session, client::QuotaEntity entity,
                         std::vector<client::QuotaChange> changes, bool validate_only) {
  auto altering = session.admin.alter_quotas(entity, changes, validate_only);
  const auto altered = co_await altering;
  if (!altered) co_return fail(Error(altered.error()));
  if (altered->error) co_return fail(Error(*altered->error));
  Value::List rows;
  for (const client::QuotaChange& change : changes) {
    rows.push_back(Value::object({{"entity", entity_text(entity)},
                                  {"quota", change.key},
                                  {"value", change.value ? Value(*change.value) : Value()}}));
  }
  session.out.data(Value(rows));
  co_return kDone;
}

Task<Result<int>> set(Session& session, const QuotaSet& command) {
  CO_TRY_ASSIGN(client::QuotaEntity entity, quota_entity(command.who));
  std::vector<client::QuotaChange> changes;
  for (const std::string& text : command.quotas) {
    CO_TRY_ASSIGN(client::QuotaChange one, parse_quota(text));
    changes.push_back(std::move(one));
  }
  auto changing = change(session, std::move(entity), std::move(changes), command.validate_only);
  Result<int> status = co_await changing;
  co_return status;
}

Task<Result<int>> remove(Session& session, const QuotaDelete& command) {
  client::QuotaChoice choice;
  CO_TRY_ASSIGN(choice.only, quota_entity(command.who));
  auto asking = session.admin.describe_quotas(choice);
  const Result<Quotas> quotas = co_await asking;
  if (!quotas) co_return fail(Error(quotas.error()));
  std::map<std::string, double> present;
  if (!quotas->empty()) present = quotas->front().quotas;
  std::vector<client::QuotaChange> changes;
  for (const auto& [key, value] : present) {
    if (command.keys.empty()) changes.push_back({key, std::nullopt});
  }
  for (const std::string& key : command.keys) {
    // Who deletes what is not there has mistyped it, or somebody was faster.
    if (!present.contains(key)) {
      const std::string what = fmt::format("{} has no {}", entity_text(*choice.only), key);
      co_return fail(ErrorCode::INVALID_REQUEST, what);
    }
    changes.push_back({key, std::nullopt});
  }
  if (changes.empty()) {
    const std::string what = fmt::format("{} has no quota", entity_text(*choice.only));
    co_return fail(ErrorCode::INVALID_REQUEST, what);
  }
  auto changing = change(session, *choice.only, std::move(changes), false);
  Result<int> status = co_await changing;
  co_return status;
}

}  // namespace

int quota_list(const GlobalOptions& g, const QuotaList& command) { return run_session(g, command, list); }
int quota_describe(const GlobalOptions& g, const QuotaDescribe& command) {
  return run_session(g, command, describe);
}
int quota_set(const GlobalOptions& g, const QuotaSet& command) { return run_session(g, command, set); }
int quota_delete(const GlobalOptions& g, const QuotaDelete& command) {
  return run_session(g, command, remove);
}

}  // namespace tidemark::cli
