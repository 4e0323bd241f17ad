"""All pages of the console, in the order of the navigation. A new page is a module of `views` and a line here."""

from pushjobs.http.console.views import (
    audit,
    bulk,
    campaigns,
    holding,
    job,
    jobs,
    limits,
    now,
    schedule,
    templates,
    troubled,
)
from pushjobs.http.console.visit import Page

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = (
    *(*now.PAGES, *holding.PAGES, *schedule.PAGES),
    *(*jobs.PAGES, *bulk.PAGES, *job.PAGES, *troubled.PAGES),
    *(*campaigns.PAGES, *templates.PAGES, *limits.PAGES),
    *audit.PAGES,
)
