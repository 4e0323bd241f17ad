"""All pages of the console, in the order of the navigation. A new page is a module of `views` and a line here."""

from pushjobs.http.console.views import audit, bulk, job, jobs, troubled
from pushjobs.http.console.visit import Page

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = (*jobs.PAGES, *bulk.PAGES, *job.PAGES, *troubled.PAGES, *audit.PAGES)
